"""Rules of a payment: money is authorized, captured, voided and refunded, never twice.

    AUTHORIZING -> AUTHORIZED -> CAPTURING -> CAPTURED, which then has refunds
    AUTHORIZING -> DECLINED | VOIDED ; AUTHORIZED -> VOIDING -> VOIDED | EXPIRED
    CAPTURING -> CAPTURED | AUTHORIZED | EXPIRED | VOIDED, on evidence
    (none) -> VOIDED, the tombstone that refuses a late authorize

`decide` turns a command into events. `evolution` applies events, `processor_calls` says what to
ask the processor next, and `ledger` what to post. Only evidence ends a pending call: neither a
clock nor "not found" is evidence.
"""

from datetime import datetime
from types import MappingProxyType

from services.chassis.domain.money import Money
from services.payment.domain import commands, events
from services.payment.domain.errors import (
    AmountExceedsRefundableError,
    CurrencyMismatchError,
    PaymentNotFoundError,
    PaymentStateConflictError,
    TooManyAttemptsError,
    UnexpectedEvidenceError,
)
from services.payment.domain.events import Event
from services.payment.domain.state import (
    Payment,
    PaymentState,
    RefundAttempt,
    RefundState,
    Refusal,
    RefusalReason,
)

# Captures and refunds are written with their payment's row and sent with each answer, so their
# number is limited. Refunds of everything that is left have room after the partial ones.
MAX_CAPTURES = 100
MAX_PARTIAL_REFUNDS = 100
MAX_REFUNDS = 2 * MAX_PARTIAL_REFUNDS

# Why a capture is refused without a call, by the state of the payment.
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
    """The events of `command`; none where the payment is already as asked.

    Raises PaymentNotFoundError, PaymentStateConflictError, AmountExceedsRefundableError,
    CurrencyMismatchError, TooManyAttemptsError, UnexpectedEvidenceError.
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
            return _on_evidence(command, payment)


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
        history=command.history,
    )
    deadline = command.order_deadline_time
    if deadline is None or now <= deadline:
        return (requested,)
    facts = {"order_deadline_time": deadline.isoformat().replace("+00:00", "Z")}
    too_late = Refusal(RefusalReason.ORDER_DEADLINE_PASSED, facts)
    declined = events.PaymentDeclined(
        command.payment_id,
        command.order_id,
        too_late,
        code=None,
        origin=command.origin,
        history=command.history,
    )
    return (requested, declined)


def _void(command: commands.Void, payment: Payment | None) -> tuple[Event, ...]:
    match payment:
        case None if command.authorize_request_id:
            return (
                events.AuthorizationFenced(
                    payment_id=command.payment_id,
                    order_id=command.order_id,
                    authorize_request_id=command.authorize_request_id,
                    void_request_id=command.request_id,
                    reason=command.reason,
                ),
            )
        case None:
            raise PaymentNotFoundError(payment_id=command.payment_id)
        case Payment(state=PaymentState.CAPTURED):
            raise PaymentStateConflictError(payment, asked="a void")
        case Payment(state=PaymentState.AUTHORIZING | PaymentState.CAPTURING):
            return () if payment.void_requested else (_void_requested(command, payment),)
        case Payment(state=PaymentState.AUTHORIZED):
            return (_void_requested(command, payment),)
        case _:
            return ()


def _void_requested(command: commands.Void, payment: Payment) -> events.VoidRequested:
    return events.VoidRequested(payment.payment_id, command.request_id, command.reason)


def _capture(command: commands.Capture, payment: Payment) -> tuple[Event, ...]:
    if payment.capture(command.request_id) is not None:
        return ()
    if len(payment.captures) >= MAX_CAPTURES:
        raise TooManyAttemptsError(payment, what="captures", limit=MAX_CAPTURES)
    if payment.state is PaymentState.AUTHORIZED:
        return (events.CaptureStarted(payment.payment_id, command.request_id, command.origin),)
    refusal = _CAPTURE_REFUSALS.get(payment.state)
    if refusal is None:
        raise PaymentStateConflictError(payment, asked="a capture")
    return (
        events.CaptureRefused(
            payment.payment_id, payment.order_id, command.request_id, refusal, command.origin
        ),
    )


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
    limit = MAX_REFUNDS if amount.minor_units == left else MAX_PARTIAL_REFUNDS
    if len(payment.refunds) >= limit:
        raise TooManyAttemptsError(payment, what="refunds", limit=limit)
    return (
        events.RefundRequested(
            payment.payment_id,
            command.refund_id,
            command.request_id,
            amount,
            command.requester,
            command.reason,
        ),
    )


def _on_evidence(evidence: commands.Evidence, payment: Payment) -> tuple[Event, ...]:
    match payment.state:
        case PaymentState.AUTHORIZING:
            return (_on_authorize(evidence, payment),)
        case PaymentState.CAPTURING:
            return _on_capture(evidence, payment)
        case PaymentState.VOIDING:
            return (_on_void(evidence, payment),)
        case PaymentState.VOIDED if isinstance(evidence, commands.Voided | commands.Expired):
            # The void of a tombstone is confirmed: the payment has been VOIDED from the start.
            return ()
        case PaymentState.CAPTURED:
            return (_on_refund(evidence, payment),)
        case _:
            raise UnexpectedEvidenceError(payment, evidence)


def _on_authorize(evidence: commands.Evidence, payment: Payment) -> Event:
    payment_id, order_id = payment.payment_id, payment.order_id
    origin, history = payment.origin, payment.history
    match evidence:
        case commands.Authorized(reference, expire_time):
            return events.PaymentAuthorized(
                payment_id, order_id, payment.amount, reference, expire_time, origin, history
            )
        case commands.Declined(code):
            declined = Refusal(RefusalReason.PAYMENT_DECLINED, {"decline_code": str(code)})
            return events.PaymentDeclined(payment_id, order_id, declined, code, origin, history)
        case commands.Voided():
            return events.AuthorizationFenced(
                payment_id,
                order_id,
                authorize_request_id=payment.authorize_request_id,
                void_request_id=payment.void_request_id,
            )
        case _:
            raise UnexpectedEvidenceError(payment, evidence)


def _on_capture(evidence: commands.Evidence, payment: Payment) -> tuple[Event, ...]:
    capture = payment.pending_capture
    if capture is None:
        raise UnexpectedEvidenceError(payment, evidence)

    def refused(reason: RefusalReason, **facts: str) -> events.CaptureRefused:
        refusal = Refusal(reason, facts)
        return events.CaptureRefused(
            payment.payment_id, payment.order_id, capture.request_id, refusal, capture.origin
        )

    match evidence:
        case commands.Captured():
            return (
                events.PaymentCaptured(
                    payment.payment_id,
                    payment.order_id,
                    payment.amount,
                    capture.request_id,
                    capture.origin,
                ),
            )
        case commands.NotCaptured(code):
            return (refused(RefusalReason.NOT_CAPTURED, processor_code=code),)
        case commands.Expired():
            return (refused(RefusalReason.AUTHORIZATION_EXPIRED), _expired(payment))
        case commands.Voided():
            return (refused(RefusalReason.AUTHORIZATION_VOIDED), _voided(payment))
        case _:
            raise UnexpectedEvidenceError(payment, evidence)


def _on_void(evidence: commands.Evidence, payment: Payment) -> Event:
    match evidence:
        case commands.Voided():
            return _voided(payment)
        case commands.Expired():
            return _expired(payment)
        case _:
            raise UnexpectedEvidenceError(payment, evidence)


def _on_refund(evidence: commands.Evidence, payment: Payment) -> Event:
    match evidence:
        case commands.Refunded(key):
            refund = _pending_refund(key, evidence, payment)
            return events.RefundSucceeded(
                payment.payment_id,
                payment.order_id,
                refund.refund_id,
                refund.amount,
                refund.request_id,
                refund.requester,
                refund.reason,
            )
        case commands.RefundRefused(key, code):
            refund = _pending_refund(key, evidence, payment)
            refusal = Refusal(RefusalReason.REFUND_REFUSED, {"processor_code": code})
            return events.RefundFailed(payment.payment_id, refund.refund_id, refusal)
        case _:
            raise UnexpectedEvidenceError(payment, evidence)


def _pending_refund(key: str, evidence: commands.Evidence, payment: Payment) -> RefundAttempt:
    refund = payment.refund(key)
    if refund is None or refund.state is not RefundState.PENDING:
        raise UnexpectedEvidenceError(payment, evidence)
    return refund


def _voided(payment: Payment) -> events.PaymentVoided:
    return events.PaymentVoided(payment.payment_id, payment.order_id, payment.authorize_request_id)


def _expired(payment: Payment) -> events.AuthorizationExpired:
    return events.AuthorizationExpired(payment.payment_id)
