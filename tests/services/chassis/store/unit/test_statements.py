"""A batch reads each table once and writes each table once, and only what has changed."""

import pytest
from sqlalchemy import Connection, insert

from services.chassis.log.event_table import STREAM_HEADS
from services.chassis.store.unit.needs import Need
from services.chassis.store.unit.unit import read_ahead
from tests.support.store.databases import CONSTRAINT_VIOLATION, POSTGRESQL, SQLITE
from tests.support.store.sent_statements import sent_by
from tests.support.store.shop_database import Function, Shop
from tests.support.store.shop_tables import (
    BADGE,
    BADGES,
    BASKETS,
    ENTRIES,
    ITEMS,
    ITEMS_BY_SHELF,
    LINES,
    PRICES,
)

ON_SQLITE = pytest.mark.parametrize("databases", [SQLITE], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("databases", [POSTGRESQL], indirect=True)
NEEDS = (
    *(ITEMS.need(item) for item in ("milk", "tea", "rye")),
    *(PRICES.need((region, "milk")) for region in ("north", "south")),
    ITEMS_BY_SHELF.need("low"),
    STREAM_HEADS.need("order"),
    BASKETS.need("red", lambda found: [LINES.need(found[0][0])]),
)


def putting(item: str, shelf: str, amount: int = 1) -> Function:
    """The write that puts an item."""
    values = {"id": item, "shelf": shelf, "amount": amount, "label": None}
    return lambda connection: ITEMS.put(connection, values)


def deleting(item: str) -> Function:
    """The write that deletes an item."""
    return lambda connection: ITEMS.delete(connection, item)


def look_at_all(connection: Connection) -> list[object]:
    """Read all that `NEEDS` names."""
    return [
        [ITEMS.one(connection, item) for item in ("milk", "tea", "rye")],
        PRICES.each(connection, [("north", "milk"), ("south", "milk")]),
        ITEMS_BY_SHELF.all(connection, "low"),
        STREAM_HEADS.of(connection, "order"),
        BASKETS.all(connection, "red"),
        LINES.all(connection, "red"),
    ]


def kinds(texts: list[str]) -> list[str]:
    """The first words of statements: what they do, and to which table."""
    first = [text.split(" WHERE ")[0].split(" (")[0] for text in texts]
    return [text.split(" FROM ")[0].split()[0] + " " + text.split()[-1] for text in first]


@ON_SQLITE
async def test_what_a_batch_needs_is_read_once(shop: Shop) -> None:
    """Each table is read by one statement for each way to find its rows, for all writes."""
    async with sent_by(shop.database) as sent:
        one, other = await shop.together(look_at_all, look_at_all, needs=NEEDS)

    assert one == other
    # The newest events of streams are found by a list of the streams.
    tables = ("item", "price", "item", "column1,", "basket", "line")
    assert kinds(sent.texts[1:-1]) == [f"SELECT {table}" for table in tables]


@ON_POSTGRESQL
@pytest.mark.parametrize("writes", [1, 20])
async def test_a_batch_takes_a_round_trip_for_each_stage(shop: Shop, writes: int) -> None:
    """The number of round trips doesn't depend on that of the writes, nor of the tables."""
    functions = [look_at_all, *(putting(f"{number}", "low") for number in range(writes))]
    named = [*NEEDS, *(ITEMS.need(f"{number}") for number in range(writes))]
    async with sent_by(shop.database) as sent:
        await shop.together(*functions, needs=named)

    # BEGIN; the reads; the lines, whose basket had to be read before; the writes with COMMIT.
    assert sent.round_trips == 4


@ON_SQLITE
async def test_nothing_that_was_named_is_read_again(shop: Shop) -> None:
    """A write reads from memory what it has named, and what that has led to."""
    sent_before: list[int] = []
    async with sent_by(shop.database) as sent:

        def count(_: Connection) -> None:
            sent_before.append(len(sent.texts))

        await shop.together(count, look_at_all, count, needs=NEEDS)

    assert sent_before[0] == sent_before[1]


@ON_SQLITE
async def test_a_write_may_read_ahead_by_itself(shop: Shop) -> None:
    """Keys that a write finds while it runs are read together."""
    keys = [f"{number}" for number in range(5)]
    async with sent_by(shop.database) as sent:
        await shop.together(lambda connection: read_ahead(connection, map(ITEMS.need, keys)))
        await shop.together(lambda connection: ITEMS.each(connection, keys))

    assert kinds(sent.texts).count("SELECT item") == 2


@ON_SQLITE
async def test_a_failure_in_memory_sends_nothing(shop: Shop) -> None:
    """A write that fails costs no savepoint, no rollback and no statement."""

    def refuse(connection: Connection) -> None:
        putting("tea", "low")(connection)
        ENTRIES.add(connection, [{"account": "cash", "rank": 1, "text": "tea"}])
        raise LookupError

    async with sent_by(shop.database) as sent:
        await shop.together(deleting("cup"), refuse, needs=needs_of(["tea", "cup"]))
    assert [text.split()[0] for text in sent.texts] == ["BEGIN", "SELECT", "COMMIT"]


@ON_SQLITE
@pytest.mark.parametrize(
    "writes",
    [
        pytest.param((putting("tea", "low"), deleting("tea")), id="put, then deleted"),
        pytest.param((putting("milk", "low", 5),), id="put as it was"),
        pytest.param((putting("milk", "low", 8), putting("milk", "low", 5)), id="changed back"),
        pytest.param((deleting("tea"),), id="deleted, but there was none"),
    ],
)
async def test_what_ends_as_it_was_is_not_written(shop: Shop, writes: tuple[Function, ...]) -> None:
    """Only the difference between the first and the last state is written."""
    async with sent_by(shop.database) as sent:
        await shop.together(*writes)

    assert {text.split()[0] for text in sent.texts} == {"BEGIN", "SELECT", "COMMIT"}


@ON_SQLITE
async def test_a_change_names_only_changing_columns(shop: Shop) -> None:
    """An update sets neither the primary key nor fixed columns, whose indexes it leaves alone."""
    async with sent_by(shop.database) as sent:
        await shop.together(putting("milk", "low", 7), putting("milk", "low", 8))

    (written,) = [text for text in sent.texts if text.startswith("INSERT")]
    _, _, changes = written.partition(" DO UPDATE SET ")
    assert changes == "amount = excluded.amount, label = excluded.label"
    assert ("milk", "low", 8, None) in await shop.rows("item")


async def test_a_changed_fixed_column_is_not_written(shop: Shop) -> None:
    """A column that is declared as fixed keeps the value of the insert."""
    await shop.database.write(putting("milk", "high", 7))
    assert ("milk", "low", 7, None) in await shop.rows("item")


async def test_a_row_of_fixed_columns_is_never_changed(shop: Shop) -> None:
    """Where no column changes, a row that exists is left alone."""
    badge = {"id": "a", "code": "x"}
    await shop.database.write(lambda connection: connection.execute(insert(BADGE), badge).close())
    await shop.database.write(lambda each: BADGES.put(each, {"id": "a", "code": "y"}))

    assert await shop.rows("badge") == [("a", "x")]


async def test_a_row_that_was_deleted_may_come_back_with_other_fixed_columns(shop: Shop) -> None:
    """A put after a delete inserts, in one write and in two of a batch."""
    await shop.together(deleting("milk"), putting("milk", "high", 7))
    assert ("milk", "high", 7, None) in await shop.rows("item")

    def replace(connection: Connection) -> None:
        ITEMS.delete(connection, "milk")
        putting("milk", "low", 8)(connection)

    await shop.database.write(replace)
    assert ("milk", "low", 8, None) in await shop.rows("item")


async def test_a_row_that_did_not_come_back_keeps_its_fixed_columns(shop: Shop) -> None:
    """A failed write that replaced a row leaves it to later ones as it was."""

    def replace(connection: Connection) -> None:
        ITEMS.delete(connection, "milk")
        putting("milk", "high", 8)(connection)
        raise LookupError

    await shop.together(replace, putting("milk", "high", 9))
    assert ("milk", "low", 9, None) in await shop.rows("item")


async def test_parents_are_inserted_first_and_deleted_last(shop: Shop) -> None:
    """A write may put and delete a basket with its lines, in any order."""

    def put(connection: Connection) -> None:
        LINES.put(connection, {"basket": "new", "number": 1, "sku": "tea"})
        BASKETS.put(connection, {"id": "new", "owner": "ann"})

    def delete(connection: Connection) -> None:
        BASKETS.delete(connection, "new")
        LINES.delete(connection, "new")

    await shop.database.write(put)
    assert ("new", 1, "tea") in await shop.rows("line")
    await shop.database.write(delete)
    assert len(await shop.rows("basket")) == len(await shop.rows("line")) == 2


async def test_more_rows_than_a_statement_takes_are_written_in_order(shop: Shop) -> None:
    """200 rows are inserted, appended, changed and deleted."""
    keys = [f"{number:03}" for number in range(200)]

    def put(amount: int) -> Function:
        return lambda connection: [putting(key, "many", amount)(connection) for key in keys]

    def add(connection: Connection) -> None:
        ENTRIES.add(connection, ({"account": "a", "rank": 1, "text": key} for key in keys))

    await shop.together(put(1), add)
    assert [row[2] for row in await shop.rows("entry")] == keys
    await shop.database.write(put(2))
    assert [row[0] for row in await shop.rows("item") if row[1:3] == ("many", 2)] == keys
    found = await shop.database.write(lambda each: ITEMS.each(each, keys), needs=needs_of(keys))
    assert [rows[0][0] for rows in found.values()] == keys
    await shop.database.write(lambda each: [deleting(key)(each) for key in keys])
    assert len(await shop.rows("item")) == 2


def needs_of(keys: list[str]) -> list[Need]:
    """The needs of items."""
    return [ITEMS.need(key) for key in keys]


@ON_SQLITE
async def test_each_table_is_written_by_one_statement(shop: Shop) -> None:
    """Rows of many writes share a statement, whose size is a power of two."""
    names = [f"{number}" for number in range(12)]
    async with sent_by(shop.database) as sent:
        await shop.together(*(putting(name, "low") for name in names), needs=needs_of(names))

    assert [text.count(", NULL)") for text in sent.texts if text.startswith("INSERT")] == [8, 4]
    assert len(sent.texts) == 5


def pricing(cents: int) -> Function:
    """The write that sets a price without reading it."""
    values = {"region": "north", "sku": "milk", "cents": cents}
    return lambda connection: PRICES.replace(connection, values)


@ON_SQLITE
async def test_a_row_that_is_replaced_or_added_is_not_read(shop: Shop) -> None:
    """Writes that know what to write need no statement to find out what there was."""
    basket = {"id": "new", "owner": "ann"}
    async with sent_by(shop.database) as sent:
        await shop.together(pricing(1), lambda connection: BASKETS.add(connection, basket))

    assert [text.split()[0] for text in sent.texts] == ["BEGIN", "INSERT", "INSERT", "COMMIT"]
    assert await shop.rows("price") == [("north", "milk", 1)]
    assert ("new", "ann") in await shop.rows("basket")


async def test_a_replaced_row_may_be_deleted_and_come_back(shop: Shop) -> None:
    """What is stored of a replaced row is not known, but it is deleted."""

    def delete(connection: Connection) -> None:
        PRICES.delete(connection, ("north", "milk"))

    def refuse(connection: Connection) -> None:
        delete(connection)
        raise LookupError

    await shop.together(pricing(1), refuse)
    assert await shop.rows("price") == [("north", "milk", 1)]
    await shop.together(pricing(2), delete, pricing(3))
    assert await shop.rows("price") == [("north", "milk", 3)]
    await shop.together(pricing(4), delete)
    assert await shop.rows("price") == []


async def test_a_row_is_added_only_once(shop: Shop) -> None:
    """Of two writes of a batch that add the same row, the second fails, as it would alone."""

    def adding(owner: str) -> Function:
        return lambda connection: BASKETS.add(connection, {"id": "new", "owner": owner})

    first, second = await shop.together(adding("ann"), adding("bob"))
    assert first is None
    assert isinstance(second, CONSTRAINT_VIOLATION)
    assert ("new", "ann") in await shop.rows("basket")
    _, third = await shop.together(lambda each: BASKETS.one(each, "new"), adding("cem"))
    assert isinstance(third, CONSTRAINT_VIOLATION)
