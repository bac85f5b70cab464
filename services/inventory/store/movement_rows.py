"""SQL of the ledger of stock movements, and of the levels that it changes."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from services.chassis.identity import caller
from services.chassis.store.micros import from_micros, to_micros
from services.chassis.store.prepared import Prepared
from services.inventory.domain.queries import MovementFilter
from services.inventory.domain.state import Movement, MovementKind, RecordedMovement
from services.inventory.store.tables import STOCK, STOCK_MOVEMENT

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
# Both take the same rows. A bind parameter of an UPDATE must not have the name of a column.
_MOVE = Prepared(
    update(STOCK)
    .where(STOCK.c.sku == bindparam("moved_sku"))
    .values(
        on_hand=STOCK.c.on_hand + bindparam("on_hand_delta"),
        held=STOCK.c.held + bindparam("held_delta"),
        committed=STOCK.c.committed + bindparam("committed_delta"),
        version=STOCK.c.version + 1,
    )
)
_APPEND_MOVEMENT = Prepared(
    insert(STOCK_MOVEMENT)
    .inline()
    .values(
        sku=bindparam("moved_sku"),
        kind=bindparam("kind"),
        on_hand_delta=bindparam("on_hand_delta"),
        held_delta=bindparam("held_delta"),
        committed_delta=bindparam("committed_delta"),
        reservation_id=bindparam("reservation_id"),
        reason=bindparam("reason"),
        occur_time=bindparam("occur_time"),
        actor=bindparam("actor"),
    )
)


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
    if movements:
        rows = _movement_rows(movements, at)
        _MOVE.change_each(connection, rows)
        _APPEND_MOVEMENT.change_each(connection, rows)


def append_movements(connection: Connection, movements: Sequence[Movement], at: datetime) -> None:
    """Append movements to the ledger only; their levels were written with them included."""
    if movements:
        _APPEND_MOVEMENT.change_each(connection, _movement_rows(movements, at))


def _movement_rows(movements: Sequence[Movement], at: datetime) -> list[dict[str, object]]:
    occur_time, actor = to_micros(at), caller.current().actor
    return [
        {
            "moved_sku": movement.sku,
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
    ]
