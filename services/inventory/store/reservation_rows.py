"""SQL of reservations and their lines."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, literal_column, select, tuple_, update
from tradepost.inventory.v1.reservation_pb2 import ReservationRefusal

from services.chassis.domain.money import Money
from services.chassis.store.micros import from_micros, to_micros
from services.chassis.store.prepared import Prepared, PreparedIn
from services.inventory.domain.state import Line, Reservation, ReservationState
from services.inventory.store.tables import RESERVATION, RESERVATION_LINE
from services.inventory.wire.replies import from_refusal, to_refusal

_HEAD = (
    RESERVATION.c.reservation_id,
    RESERVATION.c.order_id,
    RESERVATION.c.state,
    RESERVATION.c.currency_code,
    RESERVATION.c.total_minor,
    RESERVATION.c.expire_time,
    RESERVATION.c.refusal,
    RESERVATION.c.version,
    RESERVATION.c.create_time,
    RESERVATION.c.update_time,
)
_HEAD_SIZE = len(_HEAD)
_LINE = (
    RESERVATION_LINE.c.sku,
    RESERVATION_LINE.c.quantity,
    RESERVATION_LINE.c.name,
    RESERVATION_LINE.c.unit_price_minor,
    RESERVATION_LINE.c.returned,
)

_LOAD = Prepared(
    select(*_HEAD, *_LINE)
    .join_from(RESERVATION, RESERVATION_LINE, isouter=True)
    .where(RESERVATION.c.reservation_id == bindparam("key"))
    .order_by(RESERVATION_LINE.c.sku)
)
_LOAD_HEADS = PreparedIn(select(*_HEAD), RESERVATION.c.reservation_id)
_LOAD_LINES = PreparedIn(
    select(RESERVATION_LINE.c.reservation_id, *_LINE).order_by(
        RESERVATION_LINE.c.reservation_id, RESERVATION_LINE.c.sku
    ),
    RESERVATION_LINE.c.reservation_id,
)
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
_INSERT = Prepared(insert(RESERVATION).inline())
_INSERT_LINE = Prepared(insert(RESERVATION_LINE).inline())
_UPDATE = Prepared(
    update(RESERVATION)
    .where(RESERVATION.c.reservation_id == bindparam("key"))
    .values(
        state=bindparam("state"),
        expire_time=bindparam("expire_time"),
        refusal=bindparam("refusal"),
        version=bindparam("version"),
        update_time=bindparam("update_time"),
    )
)
_UPDATE_RETURNED = Prepared(
    update(RESERVATION_LINE)
    .where(
        RESERVATION_LINE.c.reservation_id == bindparam("key"),
        RESERVATION_LINE.c.sku == bindparam("of_sku"),
    )
    .values(returned=bindparam("now_returned"))
)


def load(connection: Connection, reservation_id: str) -> Reservation | None:
    """One reservation with its lines; None if it does not exist."""
    rows = _LOAD.all(connection, key=reservation_id)
    if not rows:
        return None
    head = rows[0][:_HEAD_SIZE]
    lines = [row[_HEAD_SIZE:] for row in rows if row[_HEAD_SIZE] is not None]
    return _reservation(head, lines)


def load_many(connection: Connection, reservation_ids: Sequence[str]) -> list[Reservation]:
    """The reservations that exist, in the order of the ids."""
    lines: defaultdict[str, list[Sequence[Any]]] = defaultdict(list)
    for row in _LOAD_LINES.all(connection, reservation_ids):
        lines[row[0]].append(row[1:])
    heads = {row[0]: row for row in _LOAD_HEADS.all(connection, reservation_ids)}
    return [
        _reservation(heads[reservation_id], lines[reservation_id])
        for reservation_id in reservation_ids
        if reservation_id in heads
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


def add(connection: Connection, reservation: Reservation) -> None:
    """Write a new reservation with its lines."""
    total = reservation.total
    _INSERT.change(
        connection,
        reservation_id=reservation.reservation_id,
        order_id=reservation.order_id,
        currency_code="" if total is None else total.currency_code,
        total_minor=None if total is None else total.minor_units,
        create_time=to_micros(reservation.create_time),
        **_changing(reservation),
    )
    if reservation.lines:
        _INSERT_LINE.change_each(
            connection,
            [
                {
                    "reservation_id": reservation.reservation_id,
                    "sku": line.sku,
                    "quantity": line.quantity,
                    "name": line.name,
                    "unit_price_minor": line.unit_price.minor_units,
                    "returned": line.returned,
                }
                for line in reservation.lines
            ],
        )


def change(connection: Connection, reservations: Sequence[Reservation]) -> None:
    """Write the new states of reservations; `change_returned` writes what came back."""
    _UPDATE.change_each(
        connection, [{"key": each.reservation_id, **_changing(each)} for each in reservations]
    )


def change_returned(connection: Connection, reservation: Reservation) -> None:
    """Write how many units of each line came back."""
    _UPDATE_RETURNED.change_each(
        connection,
        [
            {"key": reservation.reservation_id, "of_sku": line.sku, "now_returned": line.returned}
            for line in reservation.lines
        ],
    )


def _changing(reservation: Reservation) -> dict[str, object]:
    expire_time, refusal = reservation.expire_time, reservation.refusal
    return {
        "state": reservation.state.value,
        "expire_time": None if expire_time is None else to_micros(expire_time),
        "refusal": None if refusal is None else to_refusal(refusal).SerializeToString(),
        "version": reservation.version,
        "update_time": to_micros(reservation.update_time),
    }


def _reservation(head: Iterable[Any], lines: Sequence[Sequence[Any]]) -> Reservation:
    (reservation_id, order_id, state, currency_code, total_minor, expire_micros, refusal, version,
     create_micros, update_micros) = head  # fmt: skip
    return Reservation(
        reservation_id=reservation_id,
        order_id=order_id,
        state=ReservationState(state),
        lines=tuple(
            Line(sku, quantity, name, Money(currency_code, unit_price_minor), returned)
            for sku, quantity, name, unit_price_minor, returned in lines
        ),
        total=None if total_minor is None else Money(currency_code, total_minor),
        expire_time=None if expire_micros is None else from_micros(expire_micros),
        refusal=None if refusal is None else from_refusal(ReservationRefusal.FromString(refusal)),
        version=version,
        create_time=from_micros(create_micros),
        update_time=from_micros(update_micros),
    )
