"""Events of orders and of payments, as a consumer of the summary gets them.

Each event is made once: redelivery means the same event again.
"""

from datetime import UTC, datetime, timedelta

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from tradepost.event.v1.event_pb2 import Event
from tradepost.order.v1 import order_event_pb2 as order_pb
from tradepost.payment.v1 import payment_event_pb2 as payment_pb
from tradepost.type.v1.money_pb2 import Money

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def event_of(aggregate_id: str, message: Message, *, after_s: int = 0) -> Event:
    """Make an event that occurs `after_s` seconds after noon."""
    payload = Any()
    payload.Pack(message)
    return Event(
        aggregate_id=aggregate_id,
        type=message.DESCRIPTOR.full_name,
        payload=payload,
        occur_time=NOON + timedelta(seconds=after_s),
    )


def placed(order_id: str, customer_id: str = "ann", *, after_s: int = 0) -> Event:
    return event_of(order_id, order_pb.OrderPlaced(customer_id=customer_id), after_s=after_s)


def confirmed(order_id: str) -> Event:
    return event_of(order_id, order_pb.OrderConfirmed())


def refund_begun(order_id: str) -> Event:
    return event_of(order_id, order_pb.RefundStarted())


def shipped(order_id: str) -> Event:
    return event_of(order_id, order_pb.OrderFulfilled())


def captured(
    order_id: str, minor_units: int, currency_code: str = "USD", *, payment_id: str = ""
) -> Event:
    payment_id = payment_id or order_id.replace("ord", "pay")
    message = payment_pb.PaymentCaptured(
        payment_id=payment_id, order_id=order_id, amount=money(minor_units, currency_code)
    )
    return event_of(payment_id, message)


def refunded(
    order_id: str, minor_units: int, currency_code: str = "USD", *, number: int = 1
) -> Event:
    payment_id = order_id.replace("ord", "pay")
    message = payment_pb.RefundSucceeded(
        payment_id=payment_id,
        order_id=order_id,
        refund_id=f"{payment_id}/{number}",
        amount=money(minor_units, currency_code),
    )
    return event_of(payment_id, message)


def money(minor_units: int, currency_code: str = "USD") -> Money:
    return Money(currency_code=currency_code, minor_units=minor_units)
