"""What the state of a payment says to an order that wants to give its money back."""

from collections.abc import Iterable

from tradepost.payment.v1.payment_pb2 import Payment, RefundState

from services.chassis.domain.money import Money
from services.chassis.request.wire_values import from_money
from services.chassis.saga.model import Pending, step_id
from services.order.domain import commands
from services.order.domain.state import Order, OrderReturn
from services.order.domain.steps import REFUND_RETURN


def is_refunded(payment: Payment) -> bool:
    """Return whether nothing of a payment is left."""
    return payment.refunded_amount == payment.captured_amount


def without_refund(
    payment: Payment,
) -> commands.Refunded | commands.RefundIncomplete | Pending:
    """Return what a payment shows for which no refund of the order is pending."""
    if is_refunded(payment):
        return commands.Refunded(from_money(payment.refunded_amount))
    if payment.refund_pending_amount.minor_units:
        return Pending("ANOTHER_REFUND_PENDING")
    return commands.RefundIncomplete()


def paid_for_before(
    payments: Iterable[Payment], order: Order, current: OrderReturn
) -> commands.ReturnRefunded | None:
    """Return the refund of an earlier attempt, if an operator has paid it outside meanwhile."""
    attempts = range(1, order.attempt_of(REFUND_RETURN))
    earlier = {step_id(current.return_id, REFUND_RETURN, attempt) for attempt in attempts}
    for refund in (each for payment in payments for each in payment.refunds):
        amount = from_money(refund.amount)
        is_paid = refund.state == RefundState.REFUND_STATE_SUCCEEDED and amount == current.amount
        if is_paid and refund.request_id in earlier:
            return commands.ReturnRefunded(current.return_id, refund.refund_id, amount)
    return None


def without_price(
    payment: Payment, current: OrderReturn
) -> commands.ReturnRefunded | commands.LessRefundable | Pending:
    """Return what a payment shows of which less is left than the price of a return.

    Only a pending refund that fails could add to what is left.
    """
    captured = from_money(payment.captured_amount)
    left_minor = captured.minor_units - payment.refunded_amount.minor_units
    if payment.refund_pending_amount.minor_units or left_minor >= current.amount.minor_units:
        return Pending("ANOTHER_REFUND_PENDING")
    left = Money(captured.currency_code, left_minor)
    if left_minor == 0:
        return commands.ReturnRefunded(current.return_id, "", left)
    return commands.LessRefundable(current.return_id, left)
