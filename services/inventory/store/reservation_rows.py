"""SQL of reservations and their lines."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, literal_column, select, tuple_
from tradepost.inventory.v1.reservation_pb2 import ReservationRefusal

from services.chassis.domain.money import Money
from services.chassis.store.micros import from_micros, to_micros
from services.chassis.store.prepared import Prepared, PreparedIn
from services.chassis.store.unit.needs import Entry, Needs
from services.inventory.domain.state import Line, Reservation, ReservationState
from services.inventory.store.tables import (
    LEVELS,
    LINES,
    RESERVATION,
    RESERVATION_LINE,
    RESERVATIONS,
)
from services.inventory.wire.replies import from_refusal, to_refusal

_KEYS_AFTER = Prepared(
    select(RESERVATION.c.create_time, RESERVATION.c.reservation_id)
    .where(
        RESERVATION.c.state == bindparam("state"),
        tuple_(RESERVATION.c.create_time, RESERVATION.c.reservation_id)
        > tuple_(bindparam("after_micros"), bindparam("after_id")),
    )
    .order_by(RESERVATION.c.create_time, RESERVATION.c.reservation_id)
    .limit(bindparam("row_limit"))
)
# The state is a literal: with a parameter, the partial index of holds would not be used.
_HELD_UNTIL = (
    select(RESERVATION.c.reservation_id, RESERVATION.c.expire_time)
    .where(
        RESERVATION.c.state == literal_column(f"'{ReservationState.HELD}'"),
        RESERVATION.c.expire_time <= bindparam("now"),
    )
    .order_by(RESERVATION.c.expire_time)
    .limit(bindparam("row_limit"))
)
_OVERDUE = Prepared(_HELD_UNTIL)
_OVERDUE_WITH_SKU = PreparedIn(
    _HELD_UNTIL.join_from(RESERVATION, RESERVATION_LINE).distinct(), RESERVATION_LINE.c.sku
)


def needs_of(reservation_id: str) -> Needs:
    """What a write reads of a reservation and of the items on its lines."""
    yield RESERVATIONS.need(reservation_id)
    yield LINES.need(reservation_id, then=_needs_of_lines)


def _needs_of_lines(lines: Entry) -> Needs:
    return (LEVELS.need(sku) for _, sku, *_ in lines)


def load(connection: Connection, reservation_id: str) -> Reservation | None:
    """One reservation with its lines; None if it does not exist."""
    found = load_many(connection, [reservation_id])
    return found[0] if found else None


def load_many(connection: Connection, reservation_ids: Sequence[str]) -> list[Reservation]:
    """The reservations that exist, in the order of the ids."""
    heads = RESERVATIONS.each(connection, reservation_ids)
    lines = LINES.each(connection, reservation_ids)
    return [
        _reservation(heads[reservation_id][0], lines[reservation_id])
        for reservation_id in reservation_ids
        if heads[reservation_id]
    ]


def keys_after(
    connection: Connection, state: ReservationState, micros: int, reservation_id: str, limit: int
) -> list[tuple[int, str]]:
    """Creation time (in microseconds) and id of reservations in `state`, the oldest first."""
    return list(
        _KEYS_AFTER.all(
            connection,
            state=state.value,
            after_micros=micros,
            after_id=reservation_id,
            row_limit=limit,
        )
    )


def list_overdue(
    connection: Connection, now: datetime, limit: int, *, skus: Sequence[str] | None = None
) -> list[str]:
    """Ids of overdue holds, the oldest first; with `skus`, only holds of one of these."""
    if skus is None:
        rows = _OVERDUE.all(connection, now=to_micros(now), row_limit=limit)
    else:
        rows = _OVERDUE_WITH_SKU.all(connection, skus, now=to_micros(now), row_limit=limit)
    return [row[0] for row in rows]


def save(connection: Connection, reservations: Iterable[Reservation]) -> None:
    """Write new and changed reservations, without their lines."""
    for each in reservations:
        total, expire_time, refusal = each.total, each.expire_time, each.refusal
        values = {
            "reservation_id": each.reservation_id,
            "order_id": each.order_id,
            "state": each.state.value,
            "currency_code": "" if total is None else total.currency_code,
            "total_minor": None if total is None else total.minor_units,
            "expire_time": None if expire_time is None else to_micros(expire_time),
            "refusal": None if refusal is None else to_refusal(refusal).SerializeToString(),
            "version": each.version,
            "create_time": to_micros(each.create_time),
            "update_time": to_micros(each.update_time),
        }
        RESERVATIONS.put(connection, values)


def save_lines(connection: Connection, reservation: Reservation) -> None:
    """Write the lines of a new reservation, or how many of their units came back."""
    rows = (
        {
            "reservation_id": reservation.reservation_id,
            "sku": line.sku,
            "quantity": line.quantity,
            "name": line.name,
            "unit_price_minor": line.unit_price.minor_units,
            "returned": line.returned,
        }
        for line in reservation.lines
    )
    LINES.put_all(connection, reservation.reservation_id, rows)


def _reservation(head: Iterable[Any], lines: Sequence[Sequence[Any]]) -> Reservation:
    (reservation_id, order_id, state, currency_code, total_minor, expire_micros, refusal, version,
     create_micros, update_micros) = head  # fmt: skip
    return Reservation(
        reservation_id=reservation_id,
        order_id=order_id,
        state=ReservationState(state),
        lines=tuple(
            Line(sku, quantity, name, Money(currency_code, unit_price_minor), returned)
            for _, sku, quantity, name, unit_price_minor, returned in lines
        ),
        total=None if total_minor is None else Money(currency_code, total_minor),
        expire_time=None if expire_micros is None else from_micros(expire_micros),
        refusal=None if refusal is None else from_refusal(ReservationRefusal.FromString(refusal)),
        version=version,
        create_time=from_micros(create_micros),
        update_time=from_micros(update_micros),
    )
