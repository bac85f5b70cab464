"""Errors of payments; where one is raised, nothing is written or stored.

    fix the request         CurrencyMismatchError, AmountExceedsRefundableError,
                            PaymentNotFoundError
    read the payment first  PaymentStateConflictError, PaymentAlreadyExistsError,
                            TooManyAttemptsError, RefundNotRefusedError
    a bug, ours or theirs   UnexpectedEvidenceError

Refusals that are stored are not errors: see `state.Refusal`.
"""

from services.chassis.domain.money import Money
from services.chassis.domain.precondition import Precondition
from services.payment.domain.state import Payment


class PaymentNotFoundError(Exception):
    """There is no such payment."""

    def __init__(self, **named: str) -> None:
        wanted = ", ".join(f"{name} {value}" for name, value in named.items())
        super().__init__(f"there is no payment with {wanted}")
        self.facts = named


class PaymentStateConflictError(Exception):
    """The payment's state does not allow what was asked."""

    def __init__(self, payment: Payment, *, asked: str) -> None:
        message = f"{payment.payment_id} is {payment.state}: {asked} is not possible"
        super().__init__(message)
        self.precondition_violations = (Precondition("STATE", payment.payment_id, message),)
        self.facts = {"payment_id": payment.payment_id, "state": str(payment.state)}


class PaymentAlreadyExistsError(Exception):
    """The order has a live payment."""

    def __init__(self, *, order_id: str, payment_id: str) -> None:
        super().__init__(f"{order_id} has a live payment, {payment_id}")
        self.facts = {"order_id": order_id, "payment_id": payment_id}


class AmountExceedsRefundableError(Exception):
    """The amount exceeds what can be refunded; both amounts are in minor units."""

    def __init__(self, payment: Payment, *, requested_minor: int | None) -> None:
        left = payment.refundable_minor
        requested = "everything" if requested_minor is None else str(requested_minor)
        message = f"{requested} of {payment.payment_id} was to go back, {left} is left"
        super().__init__(message)
        self.precondition_violations = (Precondition("AMOUNT", payment.payment_id, message),)
        self.facts = {
            "payment_id": payment.payment_id,
            "requested": str(left if requested_minor is None else requested_minor),
            "refundable": str(left),
        }


class TooManyAttemptsError(Exception):
    """The payment has as many captures, or refunds, as its row may hold."""

    def __init__(self, payment: Payment, *, what: str, limit: int) -> None:
        message = f"{payment.payment_id} has {limit} {what} already, and may have no more"
        super().__init__(message)
        self.precondition_violations = (Precondition("ATTEMPTS", payment.payment_id, message),)
        self.facts = {"payment_id": payment.payment_id, "limit": str(limit)}


class RefundNotRefusedError(Exception):
    """Only a refund that the processor refused can have been paid outside of it."""

    def __init__(self, payment: Payment, refund_id: str) -> None:
        refund = payment.refund_by_id(refund_id)
        state = "UNKNOWN" if refund is None else str(refund.state)
        message = f"refund {refund_id} of {payment.payment_id} is {state}, not refused"
        super().__init__(message)
        self.precondition_violations = (Precondition("STATE", refund_id, message),)
        self.facts = {"refund_id": refund_id, "state": state}


class CurrencyMismatchError(Exception):
    """The amount has another currency than the payment."""

    def __init__(self, payment: Payment, requested: Money) -> None:
        ours = payment.amount.currency_code
        super().__init__(f"{payment.payment_id} is in {ours}, not in {requested.currency_code}")
        self.facts = {
            "payment_id": payment.payment_id,
            "payment_currency": ours,
            "requested_currency": requested.currency_code,
        }


class UnexpectedEvidenceError(Exception):
    """The processor's answer contradicts the payment: nothing is written, an operator must look."""

    def __init__(self, payment: Payment, evidence: object) -> None:
        super().__init__(f"{payment.payment_id} is {payment.state} and got {evidence}")
        self.facts = {"payment_id": payment.payment_id, "state": str(payment.state)}
