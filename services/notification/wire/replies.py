"""Events of orders as facts, notifications as messages, and every exception as a status."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, cast

from google.protobuf.message import Message
from tradepost.event.v1.event_pb2 import Event
from tradepost.notification.v1 import notification_pb2 as pb
from tradepost.order.v1 import order_event_pb2, order_pb2

from services.chassis.request.wire_values import from_money
from services.chassis.server.error_rules import Errors
from services.notification.domain import rules
from services.notification.domain.rules import Fact, Notification

ERRORS: Errors = MappingProxyType({})

_REASON_PREFIX = "ORDER_REFUSAL_REASON_"


def to_fact(event: Event) -> Fact:
    """What an event says. Raises KeyError for a type that is not in `TYPES`, and DecodeError."""
    return _READERS[event.type](event.payload.value)


def to_notification(notification: Notification) -> pb.Notification:
    """The whole resource, as every reader sees it."""
    message = pb.Notification(
        notification_id=notification.notification_id,
        order_id=notification.order_id,
        customer_id=notification.customer_id,
        template=cast(pb.NotificationTemplate.ValueType, int(notification.notice.template)),
        state=cast(pb.NotificationState.ValueType, int(notification.state)),
        recipient=notification.recipient,
        subject=notification.notice.subject,
        body=notification.notice.body,
        error=notification.error,
    )
    message.create_time.FromDatetime(notification.create_time)
    if notification.send_time is not None:
        message.send_time.FromDatetime(notification.send_time)
    return message


def _ending(message: order_event_pb2.CancellationStarted) -> rules.Ending:
    cause = rules.Cause(message.cause)
    if cause is not rules.Cause.REFUSED:
        return rules.Ending(cause, reason=message.reason)
    refusal = message.refusal
    # A reason of a later contract has no name here; it is told without one.
    known = refusal.reason in order_pb2.OrderRefusalReason.values()
    name = order_pb2.OrderRefusalReason.Name(refusal.reason) if known else ""
    return rules.Ending(
        cause,
        reason=name.removeprefix(_REASON_PREFIX),
        facts=dict(refusal.facts),
        short_skus=tuple(shortage.sku for shortage in refusal.shortages),
    )


def _reader(
    message_type: type[Message], read: Callable[[Any], Fact]
) -> tuple[str, Callable[[bytes], Fact]]:
    parse = message_type.FromString
    return message_type.DESCRIPTOR.full_name, lambda payload: read(parse(payload))


_READERS: dict[str, Callable[[bytes], Fact]] = dict(
    (
        _reader(order_event_pb2.OrderPlaced, lambda said: rules.Placed(said.customer_id)),
        _reader(order_event_pb2.CancellationStarted, _ending),
        _reader(
            order_event_pb2.OrderConfirmed,
            lambda said: rules.Confirmed(from_money(said.captured_amount)),
        ),
        _reader(order_event_pb2.OrderRejected, lambda _: rules.Rejected()),
        _reader(order_event_pb2.OrderCancelled, lambda _: rules.Cancelled()),
        _reader(order_event_pb2.OrderFulfilled, lambda _: rules.Fulfilled()),
        _reader(
            order_event_pb2.OrderRefunded,
            lambda said: rules.Refunded(from_money(said.refunded_amount)),
        ),
    )
)
# What the service needs to hear of.
TYPES = tuple(_READERS)
