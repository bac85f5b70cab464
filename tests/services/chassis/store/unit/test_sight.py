"""A write sees what the writes before it in its batch have changed, by whatever way it looks."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, select

from services.chassis.store.unit.unit import read_ahead
from tests.support.store.shop_database import Function, Shop
from tests.support.store.shop_statements import CLEAR_LINES, COUNT_ITEMS, RESTOCK
from tests.support.store.shop_tables import (
    BASKETS,
    ENTRIES,
    ENTRY_RANKS,
    ITEM,
    ITEMS,
    ITEMS_BY_SHELF,
    LINES,
    PRICES,
)

MILK = ("milk", "low", 5, None)


def putting(item: str, shelf: str, amount: int = 1) -> Function:
    """The write that puts an item."""
    values = {"id": item, "shelf": shelf, "amount": amount, "label": None}
    return lambda connection: ITEMS.put(connection, values)


def deleting(item: str) -> Function:
    """The write that deletes an item."""
    return lambda connection: ITEMS.delete(connection, item)


def on_low_shelf(connection: Connection) -> object:
    """The items of the low shelf."""
    return ITEMS_BY_SHELF.all(connection, "low")


@pytest.mark.parametrize(
    ("write", "look", "expected"),
    [
        (putting("tea", "high"), lambda c: ITEMS.one(c, "tea"), ("tea", "high", 1, None)),
        (deleting("milk"), lambda c: ITEMS.one(c, "milk"), None),
        (
            lambda c: PRICES.put(c, {"region": "south", "sku": "milk", "cents": 7}),
            lambda c: PRICES.each(c, [("south", "milk"), ("west", "milk")]),
            {("south", "milk"): (("south", "milk", 7),), ("west", "milk"): ()},
        ),
        (
            lambda c: LINES.put(c, {"basket": "red", "number": 0, "sku": "tea"}),
            lambda c: LINES.all(c, "red"),
            (("red", 0, "tea"), ("red", 1, "milk")),
        ),
        (lambda c: LINES.delete(c, "red"), lambda c: LINES.all(c, "red"), ()),
        (putting("tea", "low"), on_low_shelf, (MILK, ("tea", "low", 1, None))),
        (deleting("milk"), on_low_shelf, ()),
        (
            lambda c: ENTRY_RANKS.change(c, "cash", 3),
            lambda c: ENTRY_RANKS.of(c, "cash"),
            (3,),
        ),
        (putting("tea", "low", 4), COUNT_ITEMS.first, (3, 10)),
        (deleting("milk"), lambda c: c.execute(select(ITEM.c.id)).scalars().all(), ["labelled"]),
        (
            lambda c: RESTOCK.change(c, of="low"),
            lambda c: ITEMS.one(c, "milk"),
            ("milk", "low", 6, None),
        ),
        (lambda c: CLEAR_LINES.change(c, of="red"), lambda c: LINES.all(c, "red"), ()),
    ],
)
async def test_a_write_sees_what_another_has_changed(
    shop: Shop, write: Function, look: Function, expected: object
) -> None:
    """Rows that were read before, for others of the batch too, are seen as changed."""
    before, _, after = await shop.together(look, write, look)

    assert after == expected
    assert before != after


@pytest.mark.parametrize("between", [RESTOCK, COUNT_ITEMS, None], ids=["write", "read", "nothing"])
async def test_an_added_row_is_found_after_it_was_sent(shop: Shop, between: object) -> None:
    """A row that was added after its shelf was looked at is found, also once it is stored."""

    def send(connection: Connection) -> object:
        if between is RESTOCK:
            return RESTOCK.change(connection, of="top")
        return None if between is None else COUNT_ITEMS.first(connection)

    _, _, _, found = await shop.together(on_low_shelf, putting("tea", "low"), send, on_low_shelf)

    assert found == (MILK, ("tea", "low", 1, None))


async def test_a_row_that_comes_back_elsewhere_is_found_there_only(shop: Shop) -> None:
    """An item that was deleted and put on another shelf is no more on the first."""
    moved = ("milk", "high", 2, None)
    _, _, low, high = await shop.together(
        deleting("milk"),
        putting("milk", "high", 2),
        on_low_shelf,
        lambda connection: ITEMS_BY_SHELF.all(connection, "high"),
    )

    assert (low, high) == ((), (moved,))
    assert moved in await shop.rows("item")


async def test_a_failed_row_that_another_puts_elsewhere_is_found_there_only(shop: Shop) -> None:
    """A write that failed leaves no trace on the shelf of the item that it put."""

    def refuse(connection: Connection) -> None:
        putting("tea", "low")(connection)
        raise LookupError

    _, _, _, low = await shop.together(on_low_shelf, refuse, putting("tea", "high"), on_low_shelf)
    assert low == (MILK,)


async def test_found_rows_are_sorted_by_key(shop: Shop) -> None:
    """The order of rows is that of their keys, in a batch, alone and in a read."""
    expected = [("ale", "low", 1, None), ("bun", "low", 1, None), MILK]
    *_, together = await shop.together(putting("bun", "low"), putting("ale", "low"), on_low_shelf)
    alone = await shop.database.write(on_low_shelf)

    assert [together, alone] == [tuple(expected)] * 2
    assert await shop.database.read(on_low_shelf) == tuple(expected)


@pytest.mark.parametrize(
    "change",
    [
        putting("tea", "low"),
        deleting("milk"),
        lambda c: LINES.put_all(c, "red", []),
        lambda c: ENTRIES.add(c, []),
        lambda c: ENTRY_RANKS.change(c, "cash", 1),
        lambda c: read_ahead(c, [ITEMS.need("milk")]),
    ],
)
async def test_a_read_cannot_change_rows(
    shop: Shop, change: Callable[[Connection], object]
) -> None:
    """Rows are changed in a write only."""
    with pytest.raises(RuntimeError):
        await shop.database.read(change)


async def test_a_read_looks_at_the_database(shop: Shop) -> None:
    """In a read, rows are found like in a write."""

    def look(connection: Connection) -> list[object]:
        return [
            BASKETS.one(connection, "red"),
            BASKETS.one(connection, "blue"),
            LINES.all(connection, "red"),
            ITEMS.each(connection, ["milk", "tea"]),
            on_low_shelf(connection),
            ENTRY_RANKS.of(connection, "cash"),
        ]

    expected: list[object] = [("red", "bob"), None, (("red", 1, "milk"),)]
    expected += [{"milk": (MILK,), "tea": ()}, (MILK,), None]
    assert await shop.database.read(look) == expected
    assert await shop.database.write(look) == expected
