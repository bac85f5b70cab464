"""SQL of items and their stock levels."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, insert, select, update

from services.chassis.domain.money import Money
from services.chassis.store.micros import from_micros, to_micros
from services.chassis.store.prepared import Prepared, PreparedIn
from services.inventory.domain.errors import ItemNotFoundError
from services.inventory.domain.pricing import Offer
from services.inventory.domain.queries import SkuFilter
from services.inventory.domain.state import Item, StockedItem, StockLevel
from services.inventory.store.tables import ITEM, STOCK

_STOCK = (STOCK.c.sku, STOCK.c.on_hand, STOCK.c.held, STOCK.c.committed, STOCK.c.version)
_ITEM = (
    ITEM.c.sku,
    ITEM.c.name,
    ITEM.c.currency_code,
    ITEM.c.unit_price_minor,
    ITEM.c.revision,
    ITEM.c.update_time,
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


def load_offers(connection: Connection, skus: Sequence[str]) -> dict[str, Offer]:
    """The offers of the items that exist of `skus`, by SKU."""
    return {
        sku: Offer(name, Money(currency_code, unit_price_minor), available)
        for sku, name, currency_code, unit_price_minor, available in _OFFERS.all(connection, skus)
    }


def load_items(connection: Connection, skus: Sequence[str]) -> dict[str, StockedItem]:
    """The items that exist of `skus`, by SKU, with their stock."""
    rows = _STOCKED_ITEMS.all(connection, skus)
    return {row[0]: StockedItem(_item(row[:6]), StockLevel(*row[7:]), row[6]) for row in rows}


def list_items(connection: Connection, wanted: SkuFilter) -> list[Item]:
    """Items, sorted by SKU."""
    rows = _ITEMS_AFTER.all(connection, after_sku=wanted.after_sku, row_limit=wanted.limit)
    return [_item(row) for row in rows]


def list_levels(connection: Connection, wanted: SkuFilter) -> list[StockLevel]:
    """Stock levels, sorted by SKU."""
    rows = _LEVELS_AFTER.all(connection, after_sku=wanted.after_sku, row_limit=wanted.limit)
    return [StockLevel(*row) for row in rows]


def get_level(connection: Connection, sku: str) -> StockLevel:
    """One stock level. Raises ItemNotFoundError."""
    found = _load_levels(connection, [sku])
    if sku not in found:
        raise ItemNotFoundError(sku)
    return found[sku]


def get_levels(connection: Connection, skus: tuple[str, ...]) -> tuple[list[StockLevel], list[str]]:
    """The levels of the items that exist, and the SKUs of those that don't, in request order."""
    found = _load_levels(connection, sorted(set(skus)))
    return [found[sku] for sku in skus if sku in found], [sku for sku in skus if sku not in found]


def add_items(connection: Connection, items: Sequence[StockedItem]) -> None:
    """Write new items with their initial stock."""
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
    """Write changed items without their stock."""
    if items:
        _UPDATE_ITEM.change_each(connection, _item_rows(items))


def _load_levels(connection: Connection, skus: Sequence[str]) -> dict[str, StockLevel]:
    return {row[0]: StockLevel(*row) for row in _LEVELS.all(connection, skus)}


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
