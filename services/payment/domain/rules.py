"""Rules of a payment: money is authorized, captured, voided and refunded, never twice.

    AUTHORIZING -> AUTHORIZED -> CAPTURING -> CAPTURED, which then has refunds: see `refund_rules`
    AUTHORIZING -> DECLINED | VOIDED ; AUTHORIZED -> VOIDING -> VOIDED | EXPIRED
    CAPTURING -> CAPTURED | AUTHORIZED | EXPIRED | VOIDED, on evidence
    (none) -> VOIDED, the tombstone that refuses a late authorize

`decide` turns a command into events. `evolution` applies events, `processor_calls` says what to
ask the processor next, and `ledger` what to post. Only evidence ends a pending call: neither a
clock nor "not found" is evidence.
"""

from datetime import datetime
from types import MappingProxyType

from services.payment.domain import commands, events, refund_rules
from services.payment.domain.errors import (
    PaymentNotFoundError,
    PaymentStateConflictError,
    TooManyAttemptsError,
    UnexpectedEvidenceError,
)
from services.payment.domain.events import Event
from services.payment.domain.state import (
    Payment,
    PaymentState,
    Refusal,
    RefusalReason,
)

# Captures are written with their payment's row and sent with each answer, so they are limited.
MAX_CAPTURES = 100

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
    CurrencyMismatchError, TooManyAttemptsError, RefundNotRefusedError, UnexpectedEvidenceError.
    """
    match command:
        case commands.Authorize():
            return _authorize(command, payment, now)
        case commands.Void():
            return _void(command, payment)
        case commands.Capture() | commands.Refund() | commands.SettleRefund():
            if payment is None:
                raise PaymentNotFoundError(payment_id=command.payment_id)
            return _of_known(command, payment)
        case _:
            if payment is None:
                raise PaymentNotFoundError
            return _on_evidence(command, payment)


def _of_known(
    command: commands.Capture | commands.Refund | commands.SettleRefund, payment: Payment
) -> tuple[Event, ...]:
    match command:
        case commands.Capture():
            return _capture(command, payment)
        case commands.Refund():
            return refund_rules.refund(command, payment)
        case commands.SettleRefund():
            return (refund_rules.settle(command, payment),)


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
            return (refund_rules.on_evidence(evidence, payment),)
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


def _voided(payment: Payment) -> events.PaymentVoided:
    return events.PaymentVoided(payment.payment_id, payment.order_id, payment.authorize_request_id)


def _expired(payment: Payment) -> events.AuthorizationExpired:
    return events.AuthorizationExpired(payment.payment_id)
