"""The words of the messages to customers."""

from services.chassis.domain.amounts import format_amount
from services.notification.domain.events import (
    CancellationCause,
    CancellationStarted,
    OrderCancelled,
    OrderConfirmed,
    OrderEvent,
    OrderFulfilled,
    OrderRefunded,
    OrderRejected,
    ReturnCompleted,
)
from services.notification.domain.state import CustomerMessage, OrderDetails, Template


def write_message(order: OrderDetails, event: OrderEvent) -> CustomerMessage | None:
    """Write the message about an event; None for an event that causes none."""
    content = _content(order, event)
    if content is None:
        return None
    template, subject, text = content
    body = f"Dear customer {order.customer_id},\n\n{text}\n\nYour order: {order.order_id}\n"
    return_id = event.return_id if isinstance(event, ReturnCompleted) else ""
    return CustomerMessage(template, f"{subject} ({order.order_id})", body, return_id)


def cancellation_reason(event: CancellationStarted) -> str:
    """The reason of a cancellation or a refusal, as a sentence."""
    match event.cause:
        case CancellationCause.REFUSED:
            return _refusal_reason(event)
        case CancellationCause.CANCELLED:
            return f"You asked for it: {event.reason}" if event.reason else "You asked for it."
        case CancellationCause.DEADLINE_PASSED:
            return "It could not be settled in time."


def _content(order: OrderDetails, event: OrderEvent) -> tuple[Template, str, str] | None:
    match event:
        case OrderConfirmed(amount):
            text = f"thank you. Your order is confirmed, and {format_amount(amount)} was paid."
            return Template.CONFIRMED, "Your order is confirmed", text
        case OrderRejected():
            text = f"we could not accept your order. {order.cancellation_reason}"
            return Template.REJECTED, "Your order was not accepted", f"{text}\nNothing was charged."
        case OrderCancelled():
            text = f"your order was cancelled. {order.cancellation_reason}"
            return Template.CANCELLED, "Your order was cancelled", f"{text}\nNothing was charged."
        case OrderRefunded(amount):
            returned = f"{format_amount(amount)} is on its way back to you."
            text = f"your order was cancelled, and {returned}"
            return Template.REFUNDED, "Your order was refunded", text
        case ReturnCompleted(refunded_amount=amount):
            returned = f"{format_amount(amount)} is on its way back to you."
            text = f"we have received what you sent back. {returned}"
            return Template.RETURNED, "Your return has arrived", text
        case OrderFulfilled():
            total = "" if order.total is None else f" over {format_amount(order.total)}"
            text = f"your order{total} is on its way."
            return Template.FULFILLED, "Your order is on its way", text
        case _:
            return None


def _refusal_reason(event: CancellationStarted) -> str:
    match event.reason:
        case "PAYMENT_DECLINED":
            code = event.facts.get("decline_code", "").lower().replace("_", " ")
            return f"The payment was declined: {code}." if code else "The payment was declined."
        case "INSUFFICIENT_STOCK":
            return f"There is too little of {', '.join(event.short_skus) or 'an item'}."
        case "UNKNOWN_SKU":
            return f"We do not sell {event.facts.get('skus', 'one of the items')}."
        case "PRICE_CHANGED":
            return "The price has changed since you saw it."
        case "ORDER_DEADLINE_PASSED" | "RESERVATION_EXPIRED":
            return "It could not be settled in time."
        case _:
            return "It could not be carried out."
