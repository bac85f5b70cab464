"""Converts an order's events to the messages of order_event.proto and back.

Stored events are read for ever: a field that an old event lacks has its zero value. An event and
its message have the same name.
"""

from collections.abc import Callable
from typing import Any, cast

from google.protobuf.message import Message
from tradepost.order.v1 import order_event_pb2 as pb
from tradepost.order.v1 import order_pb2

from services.chassis.log.event_log import NewEvent, StoredEvent
from services.chassis.request.wire_values import (
    from_duration,
    from_money,
    from_timestamp,
    to_duration,
    to_money,
    to_timestamp,
)
from services.chassis.saga.carried_ids import write_step_ids
from services.chassis.saga.model import CHOREOGRAPHY
from services.order.domain import events
from services.order.domain.errors import StoredByNewerVersionError
from services.order.domain.events import Coordination
from services.order.domain.steps import AUTHORIZE, CAPTURE, COMMIT, INVENTORY, PAYMENT, RESERVE
from services.order.wire import return_events
from services.order.wire.values import add_lines, from_line, from_refusal, to_refusal


def type_of(kind: type[events.Event]) -> str:
    """Return the full name of the message that stores events of a class."""
    return f"{pb.DESCRIPTOR.package}.{kind.__name__}"


def to_new_event(event: events.Event, order_id: str) -> NewEvent:
    """Return what the event log stores of an event; equal events have equal bytes."""
    message = _message(event)
    topic = ""
    if getattr(event, "coordination", None) is Coordination.CHOREOGRAPHED:
        topic = CHOREOGRAPHY
        _add_step_ids(message, order_id)
    payload = message.SerializeToString(deterministic=True)
    return NewEvent(type=_TYPES[type(event)], payload=payload, topic=topic)


def _add_step_ids(message: Message, order_id: str) -> None:
    """Add the request ids under which the participants take the steps that the event asks for."""
    if isinstance(message, pb.OrderPlaced):
        write_step_ids(message.step_ids, (RESERVE, AUTHORIZE, COMMIT), order_id)
    elif isinstance(message, pb.CaptureRequested):
        write_step_ids(message, (CAPTURE,), order_id)


def from_stored(stored: StoredEvent) -> events.Event:
    """Return the stored event.

    Raises StoredByNewerVersionError for a type, or a value of an enum, that this version does not
    know: without that event the order would be another one.
    """
    read = _READERS.get(stored.type)
    if read is None:
        raise _by_newer_version(stored, "its type is unknown")
    try:
        return read(stored.payload)
    except ValueError as error:
        raise _by_newer_version(stored, str(error)) from error


def _by_newer_version(stored: StoredEvent, detail: str) -> StoredByNewerVersionError:
    return StoredByNewerVersionError(
        stored.stream, version=stored.version, event_type=stored.type, detail=detail
    )


def _message(event: events.Event) -> Message:  # noqa: C901, PLR0912 - one arm an event
    match event:
        case events.OrderPlaced():
            return _from_placed(event)
        case events.StockReserved():
            return _from_reserved(event)
        case events.PaymentAuthorized(payment_id, expire_time):
            return pb.PaymentAuthorized(
                payment_id=payment_id, authorize_expire_time=to_timestamp(expire_time)
            )
        case events.CaptureRequested(payment_id, coordination):
            return pb.CaptureRequested(
                payment_id=payment_id,
                coordination=cast(order_pb2.Coordination.ValueType, int(coordination)),
            )
        case events.OrderConfirmed(amount, payment_id):
            return pb.OrderConfirmed(captured_amount=to_money(amount), payment_id=payment_id)
        case events.CancelRequested(reason):
            return pb.CancelRequested(reason=reason)
        case events.CancellationStarted():
            return _from_cancellation(event)
        case events.OrderRejected():
            return pb.OrderRejected()
        case events.OrderCancelled():
            return pb.OrderCancelled()
        case events.FulfillmentStarted(reason):
            return pb.FulfillmentStarted(reason=reason)
        case events.OrderFulfilled():
            return pb.OrderFulfilled()
        case events.RefundStarted(reason):
            return pb.RefundStarted(reason=reason)
        case events.OrderRefunded(amount):
            return pb.OrderRefunded(refunded_amount=to_money(amount))
        case returning if isinstance(returning, events.ReturnEvent):
            return return_events.to_message(returning)
        case events.ReviewRequested(step, reason):
            return pb.ReviewRequested(step=step, reason=reason)
        case events.StepRetried(step, attempt, reason):
            return pb.StepRetried(step=step, attempt=attempt, reason=reason)


def _from_placed(event: events.OrderPlaced) -> pb.OrderPlaced:
    return pb.OrderPlaced(
        customer_id=event.customer_id,
        lines=[pb.PlacedLine(sku=line.sku, quantity=line.quantity) for line in event.lines],
        payment_method=event.payment_method,
        expected_total=None if event.expected_total is None else to_money(event.expected_total),
        coordination=cast(order_pb2.Coordination.ValueType, int(event.coordination)),
        deadline_time=to_timestamp(event.deadline),
        hold_ttl=to_duration(event.hold_ttl),
        authorization_ttl=to_duration(event.authorization_ttl),
    )


def _from_reserved(event: events.StockReserved) -> pb.StockReserved:
    message = pb.StockReserved(
        reservation_id=event.reservation_id,
        total=to_money(event.total),
        expire_time=None if event.expire_time is None else to_timestamp(event.expire_time),
    )
    add_lines(message.lines, event.lines)
    return message


def _from_cancellation(event: events.CancellationStarted) -> pb.CancellationStarted:
    return pb.CancellationStarted(
        cause=cast(order_pb2.OrderCause.ValueType, int(event.cause)),
        refusal=None if event.refusal is None else to_refusal(event.refusal),
        reason=event.reason,
        payment_asked=PAYMENT in event.asked,
        stock_asked=INVENTORY in event.asked,
    )


def _to_placed(message: pb.OrderPlaced) -> events.OrderPlaced:
    has_expected_total = message.HasField("expected_total")
    return events.OrderPlaced(
        customer_id=message.customer_id,
        lines=tuple(events.Line(line.sku, line.quantity) for line in message.lines),
        payment_method=message.payment_method,
        expected_total=from_money(message.expected_total) if has_expected_total else None,
        coordination=events.Coordination(message.coordination),
        deadline=from_timestamp(message.deadline_time),
        hold_ttl=from_duration(message.hold_ttl),
        authorization_ttl=from_duration(message.authorization_ttl),
    )


def _to_reserved(message: pb.StockReserved) -> events.StockReserved:
    expires = message.HasField("expire_time")
    return events.StockReserved(
        reservation_id=message.reservation_id,
        lines=tuple(from_line(line) for line in message.lines),
        total=from_money(message.total),
        expire_time=from_timestamp(message.expire_time) if expires else None,
    )


def _to_capture_requested(message: pb.CaptureRequested) -> events.CaptureRequested:
    """Return the event; the oldest ones name no coordination and were all orchestrated."""
    coordination = message.coordination or events.Coordination.ORCHESTRATED
    return events.CaptureRequested(message.payment_id, events.Coordination(coordination))


def _to_cancellation(message: pb.CancellationStarted) -> events.CancellationStarted:
    asked = {INVENTORY: message.stock_asked, PAYMENT: message.payment_asked}
    return events.CancellationStarted(
        cause=events.Cause(message.cause),
        asked=frozenset(participant for participant, was_asked in asked.items() if was_asked),
        refusal=from_refusal(message.refusal) if message.HasField("refusal") else None,
        reason=message.reason,
    )


def _reader(
    message_type: type[Message], read: Callable[[Any], events.Event]
) -> Callable[[bytes], events.Event]:
    parse = message_type.FromString
    return lambda payload: read(parse(payload))


_READERS: dict[str, Callable[[bytes], events.Event]] = {
    message_type.DESCRIPTOR.full_name: _reader(message_type, read)
    for message_type, read in (
        (pb.OrderPlaced, _to_placed),
        (pb.StockReserved, _to_reserved),
        (
            pb.PaymentAuthorized,
            lambda message: events.PaymentAuthorized(
                message.payment_id, from_timestamp(message.authorize_expire_time)
            ),
        ),
        (pb.CaptureRequested, _to_capture_requested),
        (
            pb.OrderConfirmed,
            lambda message: events.OrderConfirmed(
                from_money(message.captured_amount), message.payment_id
            ),
        ),
        (pb.CancelRequested, lambda message: events.CancelRequested(message.reason)),
        (pb.CancellationStarted, _to_cancellation),
        (pb.OrderRejected, lambda _: events.OrderRejected()),
        (pb.OrderCancelled, lambda _: events.OrderCancelled()),
        (pb.FulfillmentStarted, lambda message: events.FulfillmentStarted(message.reason)),
        (pb.OrderFulfilled, lambda _: events.OrderFulfilled()),
        (pb.RefundStarted, lambda message: events.RefundStarted(message.reason)),
        (
            pb.OrderRefunded,
            lambda message: events.OrderRefunded(from_money(message.refunded_amount)),
        ),
        (
            pb.ReviewRequested,
            lambda message: events.ReviewRequested(message.step, message.reason),
        ),
        (
            pb.StepRetried,
            lambda message: events.StepRetried(message.step, message.attempt, message.reason),
        ),
    )
} | {
    message_type.DESCRIPTOR.full_name: _reader(message_type, read)
    for message_type, read in return_events.READERS
}
_TYPES = {kind: type_of(kind) for kind in events.Event.__args__}
