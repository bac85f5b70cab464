"""Converts events to the messages of inventory_event.proto, which the event log stores.

Only RPCs release, fulfil and return reservations, so these events always have the origin
ORCHESTRATED.
"""

from google.protobuf.message import Message
from tradepost.inventory.v1 import inventory_event_pb2 as pb

from services.chassis.log.event_log import NewEvent
from services.chassis.request.wire_values import to_duration, to_money, to_timestamp
from services.chassis.saga.model import CHOREOGRAPHY
from services.inventory.domain import events
from services.inventory.domain.state import CheckoutTerms, Origin
from services.inventory.wire.replies import add_lines, to_refusal

_BY_CALL = pb.RESERVATION_ORIGIN_ORCHESTRATED
_ORIGINS = {
    Origin.ORCHESTRATED: _BY_CALL,
    Origin.CHOREOGRAPHED: pb.RESERVATION_ORIGIN_CHOREOGRAPHED,
    None: pb.RESERVATION_ORIGIN_UNSPECIFIED,
}


def item_stream(sku: str) -> str:
    """The name of an item's stream; the stream of a reservation has the reservation's id."""
    return f"itm_{sku}"


def to_new_event(event: events.ItemEvent | events.ReservationEvent) -> NewEvent:
    """The event as the log stores it."""
    if isinstance(event, events.ItemUpserted | events.StockAdjusted):
        message = _of_item(event)
    else:
        message = _of_reservation(event)
    is_choreographed = getattr(event, "origin", None) is Origin.CHOREOGRAPHED
    return NewEvent(
        type=message.DESCRIPTOR.full_name,
        payload=message.SerializeToString(),
        topic=CHOREOGRAPHY if is_choreographed else "",
    )


def _of_item(event: events.ItemEvent) -> Message:
    match event:
        case events.ItemUpserted(sku, name, unit_price, initial_on_hand):
            return pb.ItemUpserted(
                sku=sku,
                name=name,
                unit_price=to_money(unit_price),
                initial_on_hand_count=initial_on_hand,
            )
        case events.StockAdjusted(sku, delta, reason):
            return pb.StockAdjusted(sku=sku, delta=delta, reason=reason)


def _of_reservation(event: events.ReservationEvent) -> Message:
    match event:
        case events.ReservationHeld():
            return _of_hold(event)
        case events.ReservationRejected(reservation_id, order_id, refusal, origin):
            return pb.ReservationRejected(
                reservation_id=reservation_id,
                order_id=order_id,
                refusal=to_refusal(refusal),
                origin=_ORIGINS[origin],
            )
        case events.ReservationCommitted(reservation_id, order_id, origin, history):
            return pb.ReservationCommitted(
                reservation_id=reservation_id,
                order_id=order_id,
                origin=_ORIGINS[origin],
                history=_to_history(history),
            )
        case events.ReservationReleased(reservation_id, order_id, reason, tombstone):
            return pb.ReservationReleased(
                reservation_id=reservation_id,
                order_id=order_id,
                reason=reason,
                tombstone=tombstone,
                origin=_BY_CALL,
            )
        case events.ReservationExpired(reservation_id, order_id, expired_by, history):
            return pb.ReservationExpired(
                reservation_id=reservation_id,
                order_id=order_id,
                origin=_ORIGINS[expired_by],
                history=_to_history(history),
            )
        case events.ReservationReturned(reservation_id, order_id, units, reason):
            return pb.ReservationReturned(
                reservation_id=reservation_id,
                order_id=order_id,
                units=[pb.ReturnedUnits(sku=each.sku, quantity=each.quantity) for each in units],
                reason=reason,
                origin=_BY_CALL,
            )
        case events.ReservationFulfilled(reservation_id):
            return pb.ReservationFulfilled(reservation_id=reservation_id, origin=_BY_CALL)


def _of_hold(event: events.ReservationHeld) -> Message:
    held = pb.ReservationHeld(
        reservation_id=event.reservation_id,
        order_id=event.order_id,
        total=to_money(event.total),
        expire_time=to_timestamp(event.expire_time),
        origin=_ORIGINS[event.origin],
    )
    add_lines(held.lines, event.lines)
    if event.terms is not None:
        _add_terms(held, event.terms)
    return held


def _add_terms(held: pb.ReservationHeld, terms: CheckoutTerms) -> None:
    held.customer_id = terms.customer_id
    held.payment_method = terms.payment_method
    held.order_deadline_time.CopyFrom(to_timestamp(terms.order_deadline))
    held.authorization_ttl.CopyFrom(to_duration(terms.authorization_ttl))
    if terms.step_ids:
        held.step_ids.ParseFromString(terms.step_ids)


def _to_history(history: bytes) -> pb.CheckoutHistory | None:
    return pb.CheckoutHistory.FromString(history) if history else None
