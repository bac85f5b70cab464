"""Converts events of the order feed to events of the domain."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from tradepost.event.v1.event_pb2 import Event
from tradepost.order.v1 import order_event_pb2, order_pb2

from services.chassis.request.wire_values import from_money
from services.notification.domain import events
from services.notification.domain.events import CancellationCause, OrderEvent

_REASON_PREFIX = "ORDER_REFUSAL_REASON_"


def from_event(event: Event) -> OrderEvent:
    """Read an event. Raises KeyError for a type that is not in `TYPES`, and DecodeError."""
    return _READERS[event.type](event.payload.value)


def _cancellation_started(
    message: order_event_pb2.CancellationStarted,
) -> events.CancellationStarted:
    cause = CancellationCause(message.cause)
    if cause is not CancellationCause.REFUSED:
        return events.CancellationStarted(cause, reason=message.reason)
    refusal = message.refusal
    # A newer contract may have a reason without a name here: the message then leaves it out.
    known = refusal.reason in order_pb2.OrderRefusalReason.values()
    name = order_pb2.OrderRefusalReason.Name(refusal.reason) if known else ""
    return events.CancellationStarted(
        cause,
        reason=name.removeprefix(_REASON_PREFIX),
        facts=dict(refusal.facts),
        short_skus=tuple(shortage.sku for shortage in refusal.shortages),
    )


def _reader(
    message_type: type[Message], convert: Callable[[Any], OrderEvent]
) -> tuple[str, Callable[[bytes], OrderEvent]]:
    parse = message_type.FromString
    return message_type.DESCRIPTOR.full_name, lambda payload: convert(parse(payload))


_READERS: dict[str, Callable[[bytes], OrderEvent]] = dict(
    (
        _reader(
            order_event_pb2.OrderPlaced, lambda message: events.OrderPlaced(message.customer_id)
        ),
        _reader(order_event_pb2.CancellationStarted, _cancellation_started),
        _reader(
            order_event_pb2.OrderConfirmed,
            lambda message: events.OrderConfirmed(from_money(message.captured_amount)),
        ),
        _reader(order_event_pb2.OrderRejected, lambda _: events.OrderRejected()),
        _reader(order_event_pb2.OrderCancelled, lambda _: events.OrderCancelled()),
        _reader(order_event_pb2.OrderFulfilled, lambda _: events.OrderFulfilled()),
        _reader(
            order_event_pb2.OrderRefunded,
            lambda message: events.OrderRefunded(from_money(message.refunded_amount)),
        ),
        _reader(
            order_event_pb2.ReturnCompleted,
            lambda message: events.ReturnCompleted(
                message.return_id, from_money(message.refunded_amount)
            ),
        ),
    )
)
# The types of the events to subscribe to.
TYPES = tuple(_READERS)
