"""Domain events as the messages of inventory_event.proto, which are what the log keeps.

Only RPCs ask for what isn't part of the way to a confirmed order, so that says ORCHESTRATED.
"""

from google.protobuf.message import Message
from tradepost.inventory.v1 import inventory_event_pb2 as pb

from services.chassis.log.event_log import NewEvent
from services.chassis.request.wire_values import to_duration, to_money, to_timestamp
from services.chassis.saga.model import CHOREOGRAPHY
from services.inventory.domain import stock
from services.inventory.domain.reservation import (
    Committed,
    Event,
    Expired,
    Fulfilled,
    Held,
    Origin,
    Payer,
    Rejected,
    Released,
)
from services.inventory.wire.replies import add_lines, to_refusal

_BY_CALL = pb.RESERVATION_ORIGIN_ORCHESTRATED
_ORIGINS = {
    Origin.ORCHESTRATED: _BY_CALL,
    Origin.CHOREOGRAPHED: pb.RESERVATION_ORIGIN_CHOREOGRAPHED,
    None: pb.RESERVATION_ORIGIN_UNSPECIFIED,
}


def item_stream(sku: str) -> str:
    """The stream of an item; a reservation's is its id."""
    return f"itm_{sku}"


def to_new_event(event: Event | stock.Event) -> NewEvent:
    """The event as the log takes it."""
    if isinstance(event, stock.ItemUpserted | stock.StockAdjusted):
        message = _of_item(event)
    else:
        message = _of_reservation(event)
    is_choreographed = getattr(event, "origin", None) is Origin.CHOREOGRAPHED
    return NewEvent(
        type=message.DESCRIPTOR.full_name,
        payload=message.SerializeToString(),
        topic=CHOREOGRAPHY if is_choreographed else "",
    )


def _of_item(event: stock.Event) -> Message:
    match event:
        case stock.ItemUpserted(sku, name, unit_price, initial_on_hand):
            return pb.ItemUpserted(
                sku=sku,
                name=name,
                unit_price=to_money(unit_price),
                initial_on_hand_count=initial_on_hand,
            )
        case stock.StockAdjusted(sku, delta, reason):
            return pb.StockAdjusted(sku=sku, delta=delta, reason=reason)


def _of_reservation(event: Event) -> Message:
    match event:
        case Held():
            return _of_hold(event)
        case Rejected(reservation_id, order_id, refusal, origin):
            return pb.ReservationRejected(
                reservation_id=reservation_id,
                order_id=order_id,
                refusal=to_refusal(refusal),
                origin=_ORIGINS[origin],
            )
        case Committed(reservation_id, order_id, origin, history):
            return pb.ReservationCommitted(
                reservation_id=reservation_id,
                order_id=order_id,
                origin=_ORIGINS[origin],
                history=_to_history(history),
            )
        case Released(reservation_id, order_id, reason, tombstone):
            return pb.ReservationReleased(
                reservation_id=reservation_id,
                order_id=order_id,
                reason=reason,
                tombstone=tombstone,
                origin=_BY_CALL,
            )
        case Expired(reservation_id, order_id, expired_by, history):
            return pb.ReservationExpired(
                reservation_id=reservation_id,
                order_id=order_id,
                origin=_ORIGINS[expired_by],
                history=_to_history(history),
            )
        case Fulfilled(reservation_id):
            return pb.ReservationFulfilled(reservation_id=reservation_id, origin=_BY_CALL)


def _of_hold(event: Held) -> Message:
    held = pb.ReservationHeld(
        reservation_id=event.reservation_id,
        order_id=event.order_id,
        total=to_money(event.total),
        expire_time=to_timestamp(event.expire_time),
        origin=_ORIGINS[event.origin],
    )
    add_lines(held.lines, event.lines)
    if event.payer is not None:
        _add_payer(held, event.payer)
    return held


def _add_payer(held: pb.ReservationHeld, payer: Payer) -> None:
    held.customer_id = payer.customer_id
    held.payment_method = payer.payment_method
    held.order_deadline_time.CopyFrom(to_timestamp(payer.order_deadline))
    held.authorization_ttl.CopyFrom(to_duration(payer.authorization_ttl))
    if payer.step_ids:
        held.step_ids.ParseFromString(payer.step_ids)


def _to_history(history: bytes) -> pb.CheckoutHistory | None:
    return pb.CheckoutHistory.FromString(history) if history else None
