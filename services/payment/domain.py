"""The rules of a payment: money is set aside, taken, let go and given back, never twice.

    AUTHORIZING -> AUTHORIZED -> CAPTURING -> CAPTURED, which then has refunds
    AUTHORIZING -> DECLINED | VOIDED ; AUTHORIZED -> VOIDING -> VOIDED | EXPIRED
    CAPTURING -> CAPTURED | AUTHORIZED | EXPIRED | VOIDED, on evidence
    (none) -> VOIDED, the tombstone that refuses a late authorize

`decide` says what a command makes happen; `evolution` says what the payment is afterwards,
`intents` what to ask of the processor next, and `ledger` what to post. Nothing but evidence moves
an intent: neither a clock nor "not found" is evidence.
"""

from datetime import datetime
from types import MappingProxyType

from services.payment import commands, events
from services.payment.errors import (
    AmountExceedsRefundableError,
    CurrencyMismatchError,
    PaymentNotFoundError,
    PaymentStateConflictError,
    UnexpectedEvidenceError,
)
from services.payment.events import Event
from services.payment.payment import (
    Money,
    Payment,
    PaymentState,
    RefundState,
    Refusal,
    RefusalReason,
)

# Why a capture is refused without asking, by the state that makes it pointless.
_CAPTURE_REFUSALS = MappingProxyType(
    {
        PaymentState.DECLINED: Refusal(RefusalReason.NOT_AUTHORIZED),
        PaymentState.VOIDING: Refusal(RefusalReason.AUTHORIZATION_VOIDED),
        PaymentState.VOIDED: Refusal(RefusalReason.AUTHORIZATION_VOIDED),
        PaymentState.EXPIRED: Refusal(RefusalReason.AUTHORIZATION_EXPIRED),
    }
)


def decide(
    command: commands.Command, payment: Payment | None, *, now: datetime
) -> tuple[Event, ...]:
    """What `command` makes happen; nothing where it is so already.

    Raises PaymentNotFoundError, PaymentStateConflictError, AmountExceedsRefundableError,
    CurrencyMismatchError, UnexpectedEvidenceError.
    """
    match command:
        case commands.Authorize():
            return _authorize(command, payment, now)
        case commands.Void():
            return _void(command, payment)
        case commands.Capture(payment_id=payment_id) | commands.Refund(payment_id=payment_id):
            if payment is None:
                raise PaymentNotFoundError(payment_id=payment_id)
            if isinstance(command, commands.Capture):
                return _capture(command, payment)
            return _refund(command, payment)
        case _:
            if payment is None:
                raise PaymentNotFoundError
            return _hear(command, payment)


def _authorize(
    command: commands.Authorize, payment: Payment | None, now: datetime
) -> tuple[Event, ...]:
    if payment is not None:
        return ()
    requested = events.AuthorizationRequested(
        payment_id=command.payment_id,
        order_id=command.order_id,
        customer_id=command.customer_id,
        amount=command.amount,
        payment_method=command.payment_method,
        expire_after=command.expire_after,
        authorize_request_id=command.request_id,
        origin=command.origin,
    )
    deadline = command.order_deadline_time
    if deadline is None or now <= deadline:
        return (requested,)
    facts = {"order_deadline_time": deadline.isoformat().replace("+00:00", "Z")}
    too_late = Refusal(RefusalReason.ORDER_DEADLINE_PASSED, facts)
    return (requested, events.PaymentDeclined(too_late))


def _void(command: commands.Void, payment: Payment | None) -> tuple[Event, ...]:
    requested = events.VoidRequested(command.request_id, command.reason)
    match payment:
        case None if command.authorize_request_id:
            return (
                events.AuthorizationFenced(
                    payment_id=command.payment_id,
                    order_id=command.order_id,
                    authorize_request_id=command.authorize_request_id,
                    void_request_id=command.request_id,
                ),
            )
        case None:
            raise PaymentNotFoundError(payment_id=command.payment_id)
        case Payment(state=PaymentState.CAPTURED):
            raise PaymentStateConflictError(payment, asked="a void")
        case Payment(state=PaymentState.AUTHORIZING | PaymentState.CAPTURING):
            return () if payment.void_requested else (requested,)
        case Payment(state=PaymentState.AUTHORIZED):
            return (requested,)
        case _:
            return ()


def _capture(command: commands.Capture, payment: Payment) -> tuple[Event, ...]:
    if payment.capture(command.request_id) is not None:
        return ()
    if payment.state is PaymentState.AUTHORIZED:
        return (events.CaptureStarted(command.request_id, command.origin),)
    refusal = _CAPTURE_REFUSALS.get(payment.state)
    if refusal is None:
        raise PaymentStateConflictError(payment, asked="a capture")
    return (events.CaptureRefused(command.request_id, refusal, command.origin),)


def _refund(command: commands.Refund, payment: Payment) -> tuple[Event, ...]:
    if payment.refund(command.request_id) is not None:
        return ()
    if payment.state is not PaymentState.CAPTURED:
        raise PaymentStateConflictError(payment, asked="a refund")
    wanted = command.amount
    if wanted is not None and wanted.currency_code != payment.amount.currency_code:
        raise CurrencyMismatchError(payment, wanted)
    left = payment.refundable_minor
    amount = wanted or Money(payment.amount.currency_code, left)
    if not 0 < amount.minor_units <= left:
        raise AmountExceedsRefundableError(
            payment, requested_minor=None if wanted is None else wanted.minor_units
        )
    return (events.RefundRequested(command.refund_id, command.request_id, amount),)


def _hear(evidence: commands.Evidence, payment: Payment) -> tuple[Event, ...]:
    match payment.state, evidence:
        case PaymentState.AUTHORIZING, commands.Authorized(reference, expire_time):
            return (events.PaymentAuthorized(reference, expire_time),)
        case PaymentState.AUTHORIZING, commands.Declined(code):
            declined = Refusal(RefusalReason.PAYMENT_DECLINED, {"decline_code": str(code)})
            return (events.PaymentDeclined(declined, code),)
        case PaymentState.AUTHORIZING, commands.Voided():
            return (
                events.AuthorizationFenced(
                    payment_id=payment.payment_id,
                    order_id=payment.order_id,
                    authorize_request_id=payment.authorize_request_id,
                    void_request_id=payment.void_request_id,
                ),
            )
        case PaymentState.CAPTURING, _:
            return _hear_of_capture(evidence, payment)
        case PaymentState.VOIDING, commands.Voided():
            return (events.PaymentVoided(),)
        case PaymentState.VOIDING, commands.Expired():
            return (events.AuthorizationExpired(),)
        # The fence of a tombstone, confirmed: nothing changed.
        case PaymentState.VOIDED, commands.Voided() | commands.Expired():
            return ()
        case PaymentState.CAPTURED, commands.Refunded() | commands.RefundRefused():
            return _hear_of_refund(evidence, payment)
        case _:
            raise UnexpectedEvidenceError(payment, evidence)


def _hear_of_capture(evidence: commands.Evidence, payment: Payment) -> tuple[Event, ...]:
    pending = payment.pending_capture
    if pending is None:
        raise UnexpectedEvidenceError(payment, evidence)

    def refused(reason: RefusalReason, **facts: str) -> events.CaptureRefused:
        return events.CaptureRefused(pending.request_id, Refusal(reason, facts), pending.origin)

    match evidence:
        case commands.Captured():
            return (events.PaymentCaptured(pending.request_id),)
        case commands.NotCaptured(code):
            return (refused(RefusalReason.NOT_CAPTURED, processor_code=code),)
        case commands.Expired():
            return (refused(RefusalReason.AUTHORIZATION_EXPIRED), events.AuthorizationExpired())
        case commands.Voided():
            return (refused(RefusalReason.AUTHORIZATION_VOIDED), events.PaymentVoided())
        case _:
            raise UnexpectedEvidenceError(payment, evidence)


def _hear_of_refund(
    evidence: commands.Refunded | commands.RefundRefused, payment: Payment
) -> tuple[Event, ...]:
    refund = payment.refund(evidence.key)
    if refund is None:
        raise UnexpectedEvidenceError(payment, evidence)
    match refund.state, evidence:
        case RefundState.PENDING, commands.Refunded():
            return (events.RefundSucceeded(refund.refund_id, refund.amount),)
        case RefundState.PENDING, commands.RefundRefused(code=code):
            refusal = Refusal(RefusalReason.REFUND_REFUSED, {"processor_code": code})
            return (events.RefundFailed(refund.refund_id, refusal),)
        case _:
            raise UnexpectedEvidenceError(payment, evidence)
