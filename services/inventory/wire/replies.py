"""Converts domain values to reply messages.

Instants are whole microseconds, both in the tables and on the wire.
"""

from collections.abc import Iterable

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from tradepost.inventory.v1 import item_pb2, reservation_pb2

from services.chassis.domain.money import Money
from services.chassis.request.enum_numbers import enum_numbers
from services.chassis.request.wire_values import to_money, to_timestamp
from services.inventory.domain.state import (
    Item,
    Line,
    MovementKind,
    RecordedMovement,
    Refusal,
    RefusalReason,
    Reservation,
    ReservationState,
    Shortage,
    StockLevel,
)

_STATES = enum_numbers(
    ReservationState, reservation_pb2.ReservationState.Value, "RESERVATION_STATE"
)
_STATES_BY_NUMBER = {number: state for state, number in _STATES.items()}
_REASONS = enum_numbers(
    RefusalReason, reservation_pb2.ReservationRefusalReason.Value, "RESERVATION_REFUSAL_REASON"
)
_REASONS_BY_NUMBER = {number: reason for reason, number in _REASONS.items()}
_KINDS = enum_numbers(MovementKind, item_pb2.StockMovementKind.Value, "STOCK_MOVEMENT_KIND")


def to_item(item: Item) -> item_pb2.Item:
    """The item, with the etag that a later change can require."""
    return item_pb2.Item(
        sku=item.sku,
        name=item.name,
        unit_price=to_money(item.unit_price),
        etag=item.etag,
        update_time=to_timestamp(item.update_time),
    )


def to_stock(level: StockLevel) -> item_pb2.StockLevel:
    """The stock level, with the available units computed."""
    return item_pb2.StockLevel(
        sku=level.sku,
        on_hand_count=level.on_hand,
        held_count=level.held,
        committed_count=level.committed,
        available_count=level.available,
        version=level.version,
    )


def to_movement(recorded: RecordedMovement) -> item_pb2.StockMovement:
    """A line of the ledger."""
    movement = recorded.movement
    return item_pb2.StockMovement(
        sequence=recorded.sequence,
        sku=movement.sku,
        kind=_KINDS[movement.kind],
        on_hand_delta=movement.on_hand_delta,
        held_delta=movement.held_delta,
        committed_delta=movement.committed_delta,
        reservation_id=movement.reservation_id,
        reason=movement.reason,
        occur_time=to_timestamp(recorded.occur_time),
        actor=recorded.actor,
    )


def add_lines(
    messages: RepeatedCompositeFieldContainer[reservation_pb2.ReservationLine],
    lines: Iterable[Line],
) -> None:
    """Append `lines` with the prices of the moment they were reserved.

    Fills the messages in place. Building them separately and copying them takes three times as
    long, and lines are most of a reservation's cost on the wire.
    """
    for line in lines:
        message = messages.add(
            sku=line.sku,
            quantity=line.quantity,
            name=line.name,
            returned_quantity=line.returned,
        )
        unit_price, line_total = message.unit_price, message.line_total
        unit_price.currency_code = line_total.currency_code = line.unit_price.currency_code
        unit_price.minor_units = line.unit_price.minor_units
        line_total.minor_units = line.total_minor


def to_refusal(refusal: Refusal) -> reservation_pb2.ReservationRefusal:
    """The refusal's message, in which it is also stored."""
    return reservation_pb2.ReservationRefusal(
        reason=_REASONS[refusal.reason],
        facts=refusal.facts,
        shortages=[
            reservation_pb2.Shortage(
                sku=shortage.sku,
                requested_count=shortage.requested,
                available_count=shortage.available,
            )
            for shortage in refusal.shortages
        ],
    )


def from_refusal(message: reservation_pb2.ReservationRefusal) -> Refusal:
    """The refusal that `to_refusal` was given."""
    return Refusal(
        reason=_REASONS_BY_NUMBER[message.reason],
        facts=dict(message.facts),
        shortages=tuple(
            Shortage(each.sku, each.requested_count, each.available_count)
            for each in message.shortages
        ),
    )


def to_reservation(reservation: Reservation) -> reservation_pb2.Reservation:
    """The whole resource."""
    message = to_priced(
        reservation.state, reservation.lines, reservation.total, reservation.refusal
    )
    message.reservation_id = reservation.reservation_id
    message.order_id = reservation.order_id
    message.version = reservation.version
    message.create_time.CopyFrom(to_timestamp(reservation.create_time))
    message.update_time.CopyFrom(to_timestamp(reservation.update_time))
    if reservation.expire_time is not None:
        message.expire_time.CopyFrom(to_timestamp(reservation.expire_time))
    return message


def to_priced(
    state: ReservationState,
    lines: Iterable[Line],
    total: Money | None,
    refusal: Refusal | None,
) -> reservation_pb2.Reservation:
    """A reservation without ids and times: the answer to validate_only."""
    message = reservation_pb2.Reservation(
        state=_STATES[state],
        total=None if total is None else to_money(total),
        refusal=None if refusal is None else to_refusal(refusal),
    )
    add_lines(message.lines, lines)
    return message


def from_state(number: int) -> ReservationState:
    """The state of an enum value that was checked. Raises KeyError for the unspecified one."""
    return _STATES_BY_NUMBER[number]
