"""Steps of the shop's writes that execute statements of their own, and steps that fail."""

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from services.chassis.store.prepared import Prepared
from services.chassis.store.unit.sql import Row
from tests.support.store.shop_steps import Tools
from tests.support.store.shop_tables import (
    BADGES,
    BASKET,
    BASKETS,
    ENTRIES,
    ENTRY,
    ENTRY_RANKS,
    ITEM,
    ITEMS,
    ITEMS_BY_SHELF,
    KEPT,
    LABEL,
    LABELLED,
    LINE,
    LINES,
    PRICE,
    PRICES,
)

COUNT_ITEMS = Prepared(select(func.count(ITEM.c.id), func.sum(ITEM.c.amount)))
RESTOCK = Prepared(
    update(ITEM).where(ITEM.c.shelf == bindparam("of")).values(amount=ITEM.c.amount + 1)
)
CLEAR_LINES = Prepared(delete(LINE).where(LINE.c.basket == bindparam("of")))


def count_items(connection: Connection, _: Tools) -> object:
    """The number of items and their amount, by a prepared statement."""
    return COUNT_ITEMS.first(connection)


def list_lines(connection: Connection, _: Tools) -> object:
    """All lines with the owners of their baskets, by a statement of SQLAlchemy."""
    joined = select(LINE, BASKET.c.owner).join(BASKET).order_by(LINE.c.basket, LINE.c.number)
    return [tuple(row) for row in connection.execute(joined)]


def restock(connection: Connection, _: Tools, shelf: str) -> object:
    """Add one to all items of a shelf, by a prepared statement."""
    before = ITEMS_BY_SHELF.all(connection, shelf)
    changed = RESTOCK.change(connection, of=shelf)
    return before, changed, ITEMS_BY_SHELF.all(connection, shelf)


def raise_prices(connection: Connection, _: Tools, sku: str) -> object:
    """Raise the prices of a sku, by a statement of SQLAlchemy."""
    before = PRICES.each(connection, [("north", sku), ("south", sku)])
    connection.execute(update(PRICE).where(PRICE.c.sku == sku).values(cents=PRICE.c.cents + 1))
    return before, PRICES.one(connection, ("north", sku))


def add_own_entry(connection: Connection, _: Tools, account: str) -> object:
    """Insert an entry by a statement of SQLAlchemy."""
    (rank,) = ENTRY_RANKS.of(connection, account) or (0,)
    values = {"account": account, "rank": rank + 1, "text": "own"}
    connection.execute(insert(ENTRY).values(values))
    return ENTRY_RANKS.of(connection, account)


def clear_lines(connection: Connection, _: Tools, basket: str) -> object:
    """Delete the lines of a basket by a prepared statement."""
    return CLEAR_LINES.change(connection, of=basket), LINES.all(connection, basket)


def violate(connection: Connection, _: Tools) -> object:
    """Execute a statement that violates a constraint."""
    values = {"id": LABELLED, "shelf": "top", "amount": 1, "label": None}
    return connection.execute(insert(ITEM).values(values)).rowcount


def violate_and_go_on(connection: Connection, tools: Tools) -> object:
    """Catch the error of a statement that violates a constraint."""
    try:
        return violate(connection, tools)
    except IntegrityError:
        return "caught"


def count_carefully(connection: Connection, _: Tools) -> object:
    """Count the items, and go on if the statement fails."""
    try:
        return COUNT_ITEMS.first(connection)
    except Exception as error:  # noqa: BLE001 - it is the answer
        return type(error).__name__


def put_below_zero(connection: Connection, _: Tools) -> None:
    """Put an item that violates a CHECK."""
    ITEMS.put(connection, {"id": "debt", "shelf": "low", "amount": -1, "label": None})


def put_second_label(connection: Connection, _: Tools) -> None:
    """Put an item whose label another item has."""
    ITEMS.put(connection, {"id": "twin", "shelf": "low", "amount": 1, "label": LABEL})


def put_badge(connection: Connection, _: Tools, badge: str, code: str) -> object:
    """Put a badge once; another one may have its unique code."""
    known = BADGES.one(connection, badge)
    if known is None:
        BADGES.put(connection, {"id": badge, "code": code})
    return known


def put_no_cents(connection: Connection, _: Tools) -> None:
    """Put a price without a value that it must have."""
    PRICES.put(connection, {"region": "void", "sku": "void", "cents": None})


def put_line_of_nobody(connection: Connection, _: Tools) -> None:
    """Put a line whose basket doesn't exist."""
    LINES.put(connection, {"basket": "nobody's", "number": 1, "sku": "milk"})


def drop_kept_basket(connection: Connection, _: Tools) -> None:
    """Delete a basket that has a line."""
    BASKETS.delete(connection, KEPT)


def add_no_text(connection: Connection, _: Tools) -> None:
    """Append an entry without the text that it must have."""
    ENTRIES.add(connection, [{"account": "void", "rank": 1, "text": None}])


def put_nul(connection: Connection, _: Tools) -> None:
    """Put a text that PostgreSQL can't store."""
    ITEMS.put(connection, {"id": "nul", "shelf": "\0", "amount": 1, "label": None})


def read_unreadable(connection: Connection, _: Tools, key: str) -> Row | None:
    """Read a key that can't be read."""
    return ITEMS.one(connection, key)
