"""Domain events as the messages of inventory_event.proto, which are what the log keeps.

RPCs ask for facts, so all of them say ORCHESTRATED.
"""

from google.protobuf.message import Message
from tradepost.inventory.v1 import inventory_event_pb2 as pb

from services.chassis.event_log import NewEvent
from services.inventory import stock
from services.inventory.reservation import (
    Committed,
    Event,
    Expired,
    Fulfilled,
    Held,
    Rejected,
    Released,
)
from services.inventory.wire import add_lines, to_money, to_refusal, to_timestamp

_ORIGIN = pb.RESERVATION_ORIGIN_ORCHESTRATED


def item_stream(sku: str) -> str:
    """The stream of an item; a reservation's is its id."""
    return f"itm_{sku}"


def to_new_event(event: Event | stock.Event) -> NewEvent:
    """The event as the log takes it."""
    message = _message(event)
    return NewEvent(type=message.DESCRIPTOR.full_name, payload=message.SerializeToString())


def _message(event: Event | stock.Event) -> Message:
    match event:
        case Held():
            held = pb.ReservationHeld(
                reservation_id=event.reservation_id,
                order_id=event.order_id,
                total=to_money(event.total),
                expire_time=to_timestamp(event.expire_time),
                origin=_ORIGIN,
            )
            add_lines(held.lines, event.lines)
            return held
        case Rejected(reservation_id, order_id, refusal):
            return pb.ReservationRejected(
                reservation_id=reservation_id,
                order_id=order_id,
                refusal=to_refusal(refusal),
                origin=_ORIGIN,
            )
        case Committed(reservation_id):
            return pb.ReservationCommitted(reservation_id=reservation_id, origin=_ORIGIN)
        case Released(reservation_id, order_id, reason, tombstone):
            return pb.ReservationReleased(
                reservation_id=reservation_id,
                order_id=order_id,
                reason=reason,
                tombstone=tombstone,
                origin=_ORIGIN,
            )
        case Expired(reservation_id):
            return pb.ReservationExpired(reservation_id=reservation_id)
        case Fulfilled(reservation_id):
            return pb.ReservationFulfilled(reservation_id=reservation_id, origin=_ORIGIN)
        case stock.ItemUpserted(sku, name, unit_price, initial_on_hand):
            return pb.ItemUpserted(
                sku=sku,
                name=name,
                unit_price=to_money(unit_price),
                initial_on_hand_count=initial_on_hand,
            )
        case stock.StockAdjusted(sku, delta, reason):
            return pb.StockAdjusted(sku=sku, delta=delta, reason=reason)
