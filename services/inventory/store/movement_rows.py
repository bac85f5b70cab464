"""SQL of the ledger of stock movements, and of the levels that it changes."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from services.chassis.identity import caller
from services.chassis.store.micros import from_micros, to_micros
from services.chassis.store.prepared import Prepared
from services.inventory.domain.queries import MovementFilter
from services.inventory.domain.state import Movement, MovementKind, RecordedMovement
from services.inventory.store.tables import LEVELS, MOVEMENTS, STOCK_MOVEMENT

_MOVEMENT = (
    STOCK_MOVEMENT.c.sequence,
    STOCK_MOVEMENT.c.occur_time,
    STOCK_MOVEMENT.c.actor,
    STOCK_MOVEMENT.c.sku,
    STOCK_MOVEMENT.c.kind,
    STOCK_MOVEMENT.c.on_hand_delta,
    STOCK_MOVEMENT.c.held_delta,
    STOCK_MOVEMENT.c.committed_delta,
    STOCK_MOVEMENT.c.reservation_id,
    STOCK_MOVEMENT.c.reason,
)

_MOVEMENTS_AFTER = (
    select(*_MOVEMENT)
    .where(STOCK_MOVEMENT.c.sequence > bindparam("after_sequence"))
    .order_by(STOCK_MOVEMENT.c.sequence)
    .limit(bindparam("row_limit"))
)
_OF_SKU = STOCK_MOVEMENT.c.sku == bindparam("sku")
_OF_RESERVATION = STOCK_MOVEMENT.c.reservation_id == bindparam("reservation_id")
# By whether one item is selected, and whether one reservation is.
_MOVEMENTS = {
    (False, False): Prepared(_MOVEMENTS_AFTER),
    (True, False): Prepared(_MOVEMENTS_AFTER.where(_OF_SKU)),
    (False, True): Prepared(_MOVEMENTS_AFTER.where(_OF_RESERVATION)),
    (True, True): Prepared(_MOVEMENTS_AFTER.where(_OF_SKU, _OF_RESERVATION)),
}


def list_movements(connection: Connection, wanted: MovementFilter) -> list[RecordedMovement]:
    """Lines of the ledger, in the order in which they were written."""
    statement = _MOVEMENTS[bool(wanted.sku), bool(wanted.reservation_id)]
    rows = statement.all(
        connection,
        after_sequence=wanted.after_sequence,
        row_limit=wanted.limit,
        sku=wanted.sku,
        reservation_id=wanted.reservation_id,
    )
    return [
        RecordedMovement(
            sequence,
            Movement(sku, MovementKind(kind), *moved),
            from_micros(occur_micros),
            actor,
        )
        for sequence, occur_micros, actor, sku, kind, *moved in rows
    ]


def move(connection: Connection, movements: Sequence[Movement], at: datetime) -> None:
    """Apply movements to the stock levels, and append them to the ledger."""
    found = LEVELS.each(connection, [movement.sku for movement in movements])
    levels = {sku: rows[0] for sku, rows in found.items()}
    for movement in movements:
        sku, on_hand, held, committed, version = levels[movement.sku]
        levels[sku] = (
            sku,
            on_hand + movement.on_hand_delta,
            held + movement.held_delta,
            committed + movement.committed_delta,
            version + 1,
        )
    LEVELS.put_each(connection, levels.values())
    append_movements(connection, movements, at)


def append_movements(connection: Connection, movements: Sequence[Movement], at: datetime) -> None:
    """Append movements to the ledger only; their levels were written with them included."""
    occur_time, actor = to_micros(at), caller.current().actor
    rows = (
        {
            "sku": movement.sku,
            "kind": movement.kind.value,
            "on_hand_delta": movement.on_hand_delta,
            "held_delta": movement.held_delta,
            "committed_delta": movement.committed_delta,
            "reservation_id": movement.reservation_id,
            "reason": movement.reason,
            "occur_time": occur_time,
            "actor": actor,
        }
        for movement in movements
    )
    MOVEMENTS.add(connection, rows)
