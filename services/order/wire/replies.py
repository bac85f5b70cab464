"""Builds the replies: an order, a quote and the entries of an audit trail as messages."""

from types import MappingProxyType
from typing import cast

from tradepost.event.v1 import event_pb2
from tradepost.order.v1 import order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc

from services.chassis.domain.money import Money
from services.chassis.feed import wire
from services.chassis.log.event_log import StoredEvent
from services.chassis.request.wire_values import to_money, to_timestamp
from services.order.domain.commands import Place
from services.order.domain.events import Line, Refusal
from services.order.domain.state import Order, OrderReturn
from services.order.wire.values import add_lines, to_refusal

FEED = "order"
AGGREGATE_TYPE = "order"
AGGREGATE_TYPES = MappingProxyType({"ord": AGGREGATE_TYPE})


def to_order(order: Order) -> order_pb2.Order:
    """Return the whole resource."""
    message = order_pb2.Order(
        order_id=order.order_id,
        customer_id=order.customer_id,
        state=cast(order_pb2.OrderState.ValueType, int(order.state)),
        coordination=cast(order_pb2.Coordination.ValueType, int(order.coordination)),
        reservation_id=order.reservation_id,
        payment_id=order.payment_id,
        cause=cast(order_pb2.OrderCause.ValueType, int(order.cause)),
        cancel_reason=order.cancel_reason,
        cancel_requested=order.cancel_requested,
        needs_review=order.needs_review,
        deadline_time=to_timestamp(order.deadline),
        version=order.version,
        create_time=to_timestamp(order.create_time),
        update_time=to_timestamp(order.update_time),
    )
    add_lines(message.lines, order.lines)
    if order.total is not None:
        message.total.CopyFrom(to_money(order.total))
    if order.refusal is not None:
        message.refusal.CopyFrom(to_refusal(order.refusal))
    if order.refunded is not None:
        message.refunded_amount.CopyFrom(to_money(order.refunded))
    for each in order.returns:
        _add_return(message, each)
    return message


def to_return_response(
    order: order_pb2.Order, return_id: str, position: int
) -> rpc.ReturnOrderResponse:
    """Return the order with the one of its returns that was asked for."""
    asked_for = next(each for each in order.returns if each.return_id == return_id)
    return rpc.ReturnOrderResponse(
        order=order, order_return=asked_for, version=order.version, position=position
    )


def _add_return(message: order_pb2.Order, value: OrderReturn) -> None:
    added = message.returns.add(
        return_id=value.return_id,
        state=cast(order_pb2.OrderReturnState.ValueType, int(value.state)),
        amount=to_money(value.amount),
        refunded_amount=None if value.refunded is None else to_money(value.refunded),
        reason=value.reason,
        create_time=to_timestamp(value.create_time),
        complete_time=None if value.complete_time is None else to_timestamp(value.complete_time),
    )
    add_lines(added.lines, value.lines)


def to_quote(
    place: Place,
    *,
    lines: tuple[Line, ...] = (),
    total: Money | None = None,
    refusal: Refusal | None = None,
) -> order_pb2.Order:
    """Return the order that would be placed: RESERVING with prices, or REJECTED with a refusal."""
    accepted = refusal is None
    message = order_pb2.Order(
        customer_id=place.customer_id,
        state=order_pb2.ORDER_STATE_RESERVING if accepted else order_pb2.ORDER_STATE_REJECTED,
        coordination=cast(order_pb2.Coordination.ValueType, int(place.coordination)),
        cause=order_pb2.ORDER_CAUSE_UNSPECIFIED if accepted else order_pb2.ORDER_CAUSE_REFUSED,
    )
    add_lines(message.lines, lines or place.lines)
    if total is not None:
        message.total.CopyFrom(to_money(total))
    if refusal is not None:
        message.refusal.CopyFrom(to_refusal(refusal))
    return message


def to_event(stored: StoredEvent, epoch: str) -> event_pb2.Event:
    """Return an entry of the audit trail, as the event feed would send it."""
    return wire.to_event(stored, feed=FEED, epoch=epoch, aggregate_type=AGGREGATE_TYPE)
