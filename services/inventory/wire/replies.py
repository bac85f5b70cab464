"""Domain values as messages, and every exception as a status.

Instants are whole microseconds in the domain's tables and on the wire alike.
"""

from collections.abc import Iterable
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

import grpc
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from tradepost.inventory.v1 import item_pb2, reservation_pb2

from services.chassis.domain.money import Money
from services.chassis.request.wire_values import to_money, to_timestamp
from services.chassis.server.error_rules import ErrorRule, Errors
from services.inventory.domain.errors import (
    EtagMismatchError,
    ItemNotFoundError,
    ReservationAlreadyExistsError,
    ReservationNotFoundError,
    ReservationStateConflictError,
    StockOverflowError,
    StockWouldGoNegativeError,
)
from services.inventory.domain.pricing import Line, Refusal, RefusalReason, Shortage
from services.inventory.domain.reservation import Reservation, ReservationState
from services.inventory.domain.stock import Item, Movement, StockLevel

ERRORS: Errors = MappingProxyType(
    {
        ItemNotFoundError: ErrorRule(grpc.StatusCode.NOT_FOUND, "ITEM_NOT_FOUND"),
        ReservationNotFoundError: ErrorRule(grpc.StatusCode.NOT_FOUND, "RESERVATION_NOT_FOUND"),
        ReservationStateConflictError: ErrorRule(
            grpc.StatusCode.FAILED_PRECONDITION, "RESERVATION_STATE_CONFLICT"
        ),
        StockWouldGoNegativeError: ErrorRule(
            grpc.StatusCode.FAILED_PRECONDITION, "STOCK_WOULD_GO_NEGATIVE"
        ),
        EtagMismatchError: ErrorRule(grpc.StatusCode.ABORTED, "ETAG_MISMATCH"),
        ReservationAlreadyExistsError: ErrorRule(
            grpc.StatusCode.ALREADY_EXISTS, "RESERVATION_ALREADY_EXISTS"
        ),
        StockOverflowError: ErrorRule(grpc.StatusCode.OUT_OF_RANGE, "STOCK_OVERFLOW"),
    }
)

LineMessages: TypeAlias = RepeatedCompositeFieldContainer[reservation_pb2.ReservationLine]

# The domain's names are the contract's without these prefixes.
_STATE = "RESERVATION_STATE_"
_REASON = "RESERVATION_REFUSAL_REASON_"
_KIND = "STOCK_MOVEMENT_KIND_"


def to_item(item: Item) -> item_pb2.Item:
    """With the etag that guards the next change."""
    return item_pb2.Item(
        sku=item.sku,
        name=item.name,
        unit_price=to_money(item.unit_price),
        etag=item.etag,
        update_time=to_timestamp(item.update_time),
    )


def to_stock(level: StockLevel) -> item_pb2.StockLevel:
    """With what is available worked out."""
    return item_pb2.StockLevel(
        sku=level.sku,
        on_hand_count=level.on_hand,
        held_count=level.held,
        committed_count=level.committed,
        available_count=level.available,
        version=level.version,
    )


def to_movement(sequence: int, movement: Movement, occur_time: datetime) -> item_pb2.StockMovement:
    """A line of the ledger; `sequence` is its place, from 1."""
    return item_pb2.StockMovement(
        sequence=sequence,
        sku=movement.sku,
        kind=item_pb2.StockMovementKind.Value(f"{_KIND}{movement.kind}"),
        on_hand_delta=movement.on_hand_delta,
        held_delta=movement.held_delta,
        committed_delta=movement.committed_delta,
        reservation_id=movement.reservation_id,
        reason=movement.reason,
        occur_time=to_timestamp(occur_time),
    )


def add_lines(
    messages: RepeatedCompositeFieldContainer[reservation_pb2.ReservationLine],
    lines: Iterable[Line],
) -> None:
    """Append `lines`, at the prices of the moment they were reserved.

    Filled in where they stand: built apart and copied, they cost three times as much, and they
    are most of what a reservation costs on the wire.
    """
    for line in lines:
        message = messages.add(sku=line.sku, quantity=line.quantity, name=line.name)
        unit_price, line_total = message.unit_price, message.line_total
        unit_price.currency_code = line_total.currency_code = line.unit_price.currency_code
        unit_price.minor_units = line.unit_price.minor_units
        line_total.minor_units = line.total_minor


def to_refusal(refusal: Refusal) -> reservation_pb2.ReservationRefusal:
    """The form in which a refusal is also stored."""
    return reservation_pb2.ReservationRefusal(
        reason=reservation_pb2.ReservationRefusalReason.Value(f"{_REASON}{refusal.reason}"),
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
        reason=RefusalReason(
            reservation_pb2.ReservationRefusalReason.Name(message.reason).removeprefix(_REASON)
        ),
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
    """What a reservation would be, without an id: the answer to validate_only."""
    message = reservation_pb2.Reservation(
        state=reservation_pb2.ReservationState.Value(f"{_STATE}{state}"),
        total=None if total is None else to_money(total),
        refusal=None if refusal is None else to_refusal(refusal),
    )
    add_lines(message.lines, lines)
    return message


def from_state(number: reservation_pb2.ReservationState.ValueType) -> ReservationState:
    """The state of an enum value. Raises ValueError for the unspecified and for unknown ones."""
    return ReservationState(reservation_pb2.ReservationState.Name(number).removeprefix(_STATE))
