"""Rules of the refunds of a captured payment.

PENDING -> SUCCEEDED | FAILED, on evidence
FAILED -> SUCCEEDED, when an operator has paid it outside of the processor
"""

from services.chassis.domain.money import Money
from services.payment.domain import commands, events
from services.payment.domain.errors import (
    AmountExceedsRefundableError,
    CurrencyMismatchError,
    PaymentStateConflictError,
    RefundNotRefusedError,
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

# Refunds are written with their payment's row and sent with each answer, so they are limited.
# Those of everything that is left have room after the partial ones.
MAX_PARTIAL_REFUNDS = 100
MAX_REFUNDS = 2 * MAX_PARTIAL_REFUNDS


def refund(command: commands.Refund, payment: Payment) -> tuple[Event, ...]:
    """The events of a refund; none if it was asked for already.

    Raises PaymentStateConflictError, CurrencyMismatchError, AmountExceedsRefundableError,
    TooManyAttemptsError.
    """
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


def settle(command: commands.SettleRefund, payment: Payment) -> Event:
    """The event of a refused refund that was paid outside of the processor.

    Raises RefundNotRefusedError, AmountExceedsRefundableError.
    """
    refund = payment.refund_by_id(command.refund_id)
    if refund is None or refund.state is not RefundState.FAILED:
        raise RefundNotRefusedError(payment, command.refund_id)
    if refund.amount.minor_units > payment.refundable_minor:
        raise AmountExceedsRefundableError(payment, requested_minor=refund.amount.minor_units)
    return events.RefundSucceeded(
        payment.payment_id,
        payment.order_id,
        refund.refund_id,
        refund.amount,
        refund.request_id,
        command.requester,
        command.reason,
        paid_outside=True,
    )


def on_evidence(evidence: commands.Evidence, payment: Payment) -> Event:
    """The event of the processor's answer to a refund. Raises UnexpectedEvidenceError."""
    match evidence:
        case commands.Refunded(key):
            refund = _pending(key, evidence, payment)
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
            refund = _pending(key, evidence, payment)
            refusal = Refusal(RefusalReason.REFUND_REFUSED, {"processor_code": code})
            return events.RefundFailed(payment.payment_id, refund.refund_id, refusal)
        case _:
            raise UnexpectedEvidenceError(payment, evidence)


def _pending(key: str, evidence: commands.Evidence, payment: Payment) -> RefundAttempt:
    refund = payment.refund(key)
    if refund is None or refund.state is not RefundState.PENDING:
        raise UnexpectedEvidenceError(payment, evidence)
    return refund
