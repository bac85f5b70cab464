"""Which message an event of an order causes, and what later messages need to know of it."""

from dataclasses import replace

from services.notification.domain.errors import UnknownOrderError
from services.notification.domain.events import (
    CancellationStarted,
    OrderConfirmed,
    OrderEvent,
    OrderPlaced,
)
from services.notification.domain.state import CustomerMessage, OrderDetails
from services.notification.domain.wording import cancellation_reason, write_message


def evolve(order: OrderDetails, event: OrderEvent) -> OrderDetails:
    """Return what is known of the order after the event."""
    match event:
        case OrderPlaced(customer_id):
            return replace(order, customer_id=customer_id)
        case OrderConfirmed(amount):
            return replace(order, total=amount)
        case CancellationStarted():
            return replace(order, cancellation_reason=cancellation_reason(event))
        case _:
            return order


def decide(order: OrderDetails, event: OrderEvent) -> CustomerMessage | None:
    """Return the message that the event causes; None where it causes none.

    `order` already includes the event. Raises UnknownOrderError where a message is due, but the
    customer is not known.
    """
    message = write_message(order, event)
    if message is not None and not order.customer_id:
        raise UnknownOrderError(order.order_id)
    return message
