"""SQL of items, stock levels and the ledger of movements."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, insert, select, update

from services.chassis.domain.money import Money
from services.chassis.store.in_lists import PreparedIn
from services.chassis.store.micros import from_micros, to_micros
from services.chassis.store.prepared import Prepared
from services.inventory.domain.pricing import Offer
from services.inventory.domain.stock import Item, Movement, MovementKind, StockedItem, StockLevel
from services.inventory.store.tables import ITEM, STOCK, STOCK_MOVEMENT

_STOCK = (STOCK.c.sku, STOCK.c.on_hand, STOCK.c.held, STOCK.c.committed, STOCK.c.version)
_ITEM = (
    ITEM.c.sku,
    ITEM.c.name,
    ITEM.c.currency_code,
    ITEM.c.unit_price_minor,
    ITEM.c.revision,
    ITEM.c.update_time,
)
_MOVEMENT = (
    STOCK_MOVEMENT.c.sequence,
    STOCK_MOVEMENT.c.occur_time,
    STOCK_MOVEMENT.c.sku,
    STOCK_MOVEMENT.c.kind,
    STOCK_MOVEMENT.c.on_hand_delta,
    STOCK_MOVEMENT.c.held_delta,
    STOCK_MOVEMENT.c.committed_delta,
    STOCK_MOVEMENT.c.reservation_id,
    STOCK_MOVEMENT.c.reason,
)

_OFFERS = PreparedIn(
    select(
        ITEM.c.sku,
        ITEM.c.name,
        ITEM.c.currency_code,
        ITEM.c.unit_price_minor,
        STOCK.c.on_hand - STOCK.c.held - STOCK.c.committed,
    ).join_from(ITEM, STOCK),
    ITEM.c.sku,
)
_STOCKED_ITEMS = PreparedIn(
    select(*_ITEM, ITEM.c.stream_version, *_STOCK).join_from(ITEM, STOCK), ITEM.c.sku
)
_LEVELS = PreparedIn(select(*_STOCK), STOCK.c.sku)
_ITEMS_AFTER = Prepared(
    select(*_ITEM)
    .where(ITEM.c.sku > bindparam("after_sku"))
    .order_by(ITEM.c.sku)
    .limit(bindparam("row_limit"))
)
_LEVELS_AFTER = Prepared(
    select(*_STOCK)
    .where(STOCK.c.sku > bindparam("after_sku"))
    .order_by(STOCK.c.sku)
    .limit(bindparam("row_limit"))
)
_MOVEMENTS_AFTER = (
    select(*_MOVEMENT)
    .where(STOCK_MOVEMENT.c.sequence > bindparam("after_sequence"))
    .order_by(STOCK_MOVEMENT.c.sequence)
    .limit(bindparam("row_limit"))
)
_OF_SKU = STOCK_MOVEMENT.c.sku == bindparam("sku")
_OF_RESERVATION = STOCK_MOVEMENT.c.reservation_id == bindparam("reservation_id")
# By whether they are of one item, and of one reservation.
_MOVEMENTS = {
    (False, False): Prepared(_MOVEMENTS_AFTER),
    (True, False): Prepared(_MOVEMENTS_AFTER.where(_OF_SKU)),
    (False, True): Prepared(_MOVEMENTS_AFTER.where(_OF_RESERVATION)),
    (True, True): Prepared(_MOVEMENTS_AFTER.where(_OF_SKU, _OF_RESERVATION)),
}
_ITEM_VALUES: dict[str, BindParameter[Any]] = {
    "name": bindparam("name"),
    "currency_code": bindparam("currency_code"),
    "unit_price_minor": bindparam("unit_price_minor"),
    "revision": bindparam("revision"),
    "stream_version": bindparam("stream_version"),
    "update_time": bindparam("update_time"),
}
_INSERT_ITEM = Prepared(insert(ITEM).inline().values(sku=bindparam("key"), **_ITEM_VALUES))
_UPDATE_ITEM = Prepared(update(ITEM).where(ITEM.c.sku == bindparam("key")).values(**_ITEM_VALUES))
_INSERT_STOCK = Prepared(insert(STOCK).inline())
# Both take the same rows; a bind may not have the name of a column that UPDATE could set.
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
    )
)


def load_shelf(connection: Connection, skus: Sequence[str]) -> dict[str, Offer]:
    """What is on offer of `skus`, by SKU."""
    return {
        sku: Offer(name, Money(currency_code, unit_price_minor), available)
        for sku, name, currency_code, unit_price_minor, available in _OFFERS.all(connection, skus)
    }


def load_items(connection: Connection, skus: Sequence[str]) -> dict[str, StockedItem]:
    """The items that exist of `skus`, by SKU, with their stock."""
    rows = _STOCKED_ITEMS.all(connection, skus)
    return {row[0]: StockedItem(_item(row[:6]), StockLevel(*row[7:]), row[6]) for row in rows}


def load_levels(connection: Connection, skus: Sequence[str]) -> dict[str, StockLevel]:
    """The stock of the items that exist of `skus`, by SKU."""
    return {row[0]: StockLevel(*row) for row in _LEVELS.all(connection, skus)}


def items_after(connection: Connection, sku: str, limit: int) -> list[Item]:
    """Items in the order of their SKU."""
    rows = _ITEMS_AFTER.all(connection, after_sku=sku, row_limit=limit)
    return [_item(row) for row in rows]


def levels_after(connection: Connection, sku: str, limit: int) -> list[StockLevel]:
    """Stock levels in the order of their SKU."""
    rows = _LEVELS_AFTER.all(connection, after_sku=sku, row_limit=limit)
    return [StockLevel(*row) for row in rows]


def movements_after(
    connection: Connection, sequence: int, limit: int, *, sku: str, reservation_id: str
) -> list[tuple[int, Movement, datetime]]:
    """Sequence, movement and instant, in the order in which they happened.

    An empty `sku` or `reservation_id` means any.
    """
    statement = _MOVEMENTS[bool(sku), bool(reservation_id)]
    rows = statement.all(
        connection,
        after_sequence=sequence,
        row_limit=limit,
        sku=sku,
        reservation_id=reservation_id,
    )
    return [
        (row[0], Movement(row[2], MovementKind(row[3]), *row[4:]), from_micros(row[1]))
        for row in rows
    ]


def add_items(connection: Connection, items: Sequence[StockedItem]) -> None:
    """Put new items on the shelf, with the stock they come with."""
    if items:
        _INSERT_ITEM.change_each(connection, _item_rows(items))
        _INSERT_STOCK.change_each(
            connection,
            [
                {
                    "sku": each.level.sku,
                    "on_hand": each.level.on_hand,
                    "held": each.level.held,
                    "committed": each.level.committed,
                    "version": each.level.version,
                }
                for each in items
            ],
        )


def change_items(connection: Connection, items: Sequence[StockedItem]) -> None:
    """Write changed items; their stock is left alone."""
    if items:
        _UPDATE_ITEM.change_each(connection, _item_rows(items))


def move(connection: Connection, movements: Sequence[Movement], at: datetime) -> None:
    """Apply movements to the levels and append them to the ledger."""
    if movements:
        rows = _movement_rows(movements, at)
        _MOVE.change_each(connection, rows)
        _APPEND_MOVEMENT.change_each(connection, rows)


def append_movements(connection: Connection, movements: Sequence[Movement], at: datetime) -> None:
    """Write to the ledger alone, for levels that were written with their movements in them."""
    if movements:
        _APPEND_MOVEMENT.change_each(connection, _movement_rows(movements, at))


def _movement_rows(movements: Sequence[Movement], at: datetime) -> list[dict[str, object]]:
    occur_time = to_micros(at)
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
        }
        for movement in movements
    ]


def _item(row: Iterable[Any]) -> Item:
    sku, name, currency_code, unit_price_minor, revision, update_micros = row
    unit_price = Money(currency_code, unit_price_minor)
    return Item(sku, name, unit_price, revision, from_micros(update_micros))


def _item_rows(items: Sequence[StockedItem]) -> list[dict[str, object]]:
    return [
        {
            "key": each.item.sku,
            "name": each.item.name,
            "currency_code": each.item.unit_price.currency_code,
            "unit_price_minor": each.item.unit_price.minor_units,
            "revision": each.item.revision,
            "stream_version": each.stream_version,
            "update_time": to_micros(each.item.update_time),
        }
        for each in items
    ]
