"""SQL of items and their stock levels."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select

from services.chassis.domain.money import Money
from services.chassis.store.micros import from_micros, to_micros
from services.chassis.store.prepared import Prepared, PreparedIn
from services.chassis.store.unit.needs import Needs
from services.inventory.domain.errors import ItemNotFoundError
from services.inventory.domain.pricing import Offer
from services.inventory.domain.queries import ItemFilter, SkuFilter
from services.inventory.domain.state import Item, StockedItem, StockLevel
from services.inventory.store.tables import ITEM, ITEMS, LEVELS, STOCK

_STOCK = (STOCK.c.sku, STOCK.c.on_hand, STOCK.c.held, STOCK.c.committed, STOCK.c.version)
_ITEM = (
    ITEM.c.sku,
    ITEM.c.name,
    ITEM.c.currency_code,
    ITEM.c.unit_price_minor,
    ITEM.c.revision,
    ITEM.c.update_time,
)
_ITEM_PAGE = (
    select(*_ITEM)
    .where(ITEM.c.sku > bindparam("after_sku"))
    .order_by(ITEM.c.sku)
    .limit(bindparam("row_limit"))
)
# A text is looked for in the middle of names, for which there is no index: the rows are read in the
# order of their SKUs until the page is full.
_FOUND_PAGE = _ITEM_PAGE.where(
    or_(
        *(
            func.lower(column).like(func.lower(bindparam("pattern")), escape="\\")
            for column in (ITEM.c.name, ITEM.c.sku)
        )
    )
)
_ITEMS_AFTER = Prepared(_ITEM_PAGE)
_ITEMS_WITH_TEXT = Prepared(_FOUND_PAGE)
_ITEMS_OF_SKUS = PreparedIn(_FOUND_PAGE, ITEM.c.sku)
_LEVELS_AFTER = Prepared(
    select(*_STOCK)
    .where(STOCK.c.sku > bindparam("after_sku"))
    .order_by(STOCK.c.sku)
    .limit(bindparam("row_limit"))
)


def needs_of(skus: Iterable[str]) -> Needs:
    """What a write reads of these items."""
    for sku in skus:
        yield ITEMS.need(sku)
        yield LEVELS.need(sku)


def load_offers(connection: Connection, skus: Sequence[str]) -> dict[str, Offer]:
    """The offers of the items that exist of `skus`, by SKU."""
    items, levels = ITEMS.each(connection, skus), LEVELS.each(connection, skus)
    return {sku: _offer(rows[0], levels[sku][0]) for sku, rows in items.items() if rows}


def load_items(connection: Connection, skus: Sequence[str]) -> dict[str, StockedItem]:
    """The items that exist of `skus`, by SKU, with their stock."""
    items, levels = ITEMS.each(connection, skus), LEVELS.each(connection, skus)
    return {sku: _stocked(rows[0], levels[sku][0]) for sku, rows in items.items() if rows}


def list_items(connection: Connection, wanted: ItemFilter) -> list[Item]:
    """Items, sorted by SKU."""
    values = {"after_sku": wanted.after_sku, "row_limit": wanted.limit}
    if wanted.skus:
        pattern = _containing(wanted.text)
        rows = _ITEMS_OF_SKUS.all(connection, wanted.skus, pattern=pattern, **values)
    elif wanted.text:
        rows = _ITEMS_WITH_TEXT.all(connection, pattern=_containing(wanted.text), **values)
    else:
        rows = _ITEMS_AFTER.all(connection, **values)
    return [_item(row) for row in rows]


def _containing(text: str) -> str:
    """The pattern of LIKE for what contains the text itself, whatever characters it has."""
    return "%" + re.sub(r"([%_\\])", r"\\\1", text) + "%"


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


def save_items(connection: Connection, items: Iterable[StockedItem]) -> None:
    """Write new and changed items, without their stock."""
    for each in items:
        item = each.item
        values = {
            "sku": item.sku,
            "name": item.name,
            "currency_code": item.unit_price.currency_code,
            "unit_price_minor": item.unit_price.minor_units,
            "revision": item.revision,
            "stream_version": each.stream_version,
            "update_time": to_micros(item.update_time),
        }
        ITEMS.put(connection, values)


def add_levels(connection: Connection, levels: Iterable[StockLevel]) -> None:
    """Write the stock of new items."""
    for level in levels:
        LEVELS.put(connection, asdict(level))


def _load_levels(connection: Connection, skus: Sequence[str]) -> dict[str, StockLevel]:
    found = LEVELS.each(connection, skus)
    return {sku: StockLevel(*rows[0]) for sku, rows in found.items() if rows}


def _offer(item: Sequence[Any], level: Sequence[Any]) -> Offer:
    _, name, currency_code, unit_price_minor, *_ = item
    return Offer(name, Money(currency_code, unit_price_minor), StockLevel(*level).available)


def _stocked(item: Sequence[Any], level: Sequence[Any]) -> StockedItem:
    sku, name, currency_code, price_minor, revision, stream_version, update_micros = item
    row = (sku, name, currency_code, price_minor, revision, update_micros)
    return StockedItem(_item(row), StockLevel(*level), stream_version)


def _item(row: Iterable[Any]) -> Item:
    sku, name, currency_code, unit_price_minor, revision, update_micros = row
    unit_price = Money(currency_code, unit_price_minor)
    return Item(sku, name, unit_price, revision, from_micros(update_micros))
