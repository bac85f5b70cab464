"""A write that fails is undone alone, however much of its batch has been sent already."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from services.chassis.store.unit.change import Change, announce
from tests.support.store.databases import CONSTRAINT_VIOLATION, KINDS
from tests.support.store.shop_database import Function, Shop
from tests.support.store.shop_histories import UNREADABLE
from tests.support.store.shop_statements import COUNT_ITEMS, RESTOCK
from tests.support.store.shop_tables import ENTRIES, ENTRY_RANKS, ITEMS, LINES, PRICES

AT_FIRST = [("labelled", "top", 1, "unique"), ("milk", "low", 5, None)]
TEA = ("tea", "low", 3, None)
RYE = ("rye", "low", 4, None)


class RefusedError(Exception):
    """What a write of a test raises."""


def put(connection: Connection, item: tuple[object, ...]) -> None:
    """Put an item."""
    ITEMS.put(connection, dict(zip(ITEMS.columns, item, strict=True)))


def putting(item: tuple[object, ...]) -> Function:
    """The write that puts an item."""
    return lambda connection: put(connection, item)


def counted(runs: Counter[str], name: str, function: Function) -> Function:
    """The function, whose runs are counted by name."""

    def run(connection: Connection) -> object:
        runs[name] += 1
        return function(connection)

    return run


def in_turn(*functions: Function) -> Function:
    """The write that calls functions one after another."""

    def run(connection: Connection) -> None:
        for function in functions:
            function(connection)

    return run


def change_much(connection: Connection) -> None:
    """Change all kinds of rows in memory."""
    put(connection, ("milk", "low", 9, None))
    put(connection, RYE)
    ITEMS.delete(connection, "labelled")
    PRICES.put(connection, {"region": "north", "sku": "milk", "cents": 1})
    LINES.put(connection, {"basket": "red", "number": 2, "sku": "rye"})
    ENTRIES.add(connection, [{"account": "cash", "rank": 1, "text": "rye"}])
    ENTRY_RANKS.change(connection, "cash", 1)


def refuse(connection: Connection) -> None:
    """Change much in memory, then fail."""
    change_much(connection)
    raise RefusedError


def refuse_after(statement: Callable[[Connection], object]) -> Function:
    """The write that changes much, executes a statement of its own, and fails."""

    def run(connection: Connection) -> None:
        change_much(connection)
        statement(connection)
        raise RefusedError

    return run


def rank(connection: Connection) -> object:
    """The newest rank of an account."""
    return ENTRY_RANKS.of(connection, "cash")


async def test_a_failure_is_undone_in_memory(shop: Shop) -> None:
    """What a failed write has changed in memory is gone; no other write runs again."""
    runs = Counter[str]()
    _, refused, seen, _ = await shop.together(
        counted(runs, "tea", putting(TEA)),
        refuse,
        counted(runs, "seen", lambda connection: (*map_items(connection), rank(connection))),
        counted(runs, "rank", lambda connection: put(connection, ("tea", "low", 8, None))),
    )

    assert isinstance(refused, RefusedError)
    assert seen == (*AT_FIRST, TEA, None)
    assert runs == {"tea": 1, "seen": 1, "rank": 1}
    assert await shop.rows("item") == [*AT_FIRST, ("tea", "low", 8, None)]
    assert await shop.rows("price") == [("north", "milk", 99)]
    assert await shop.rows("entry") == []
    assert len(await shop.rows("line")) == 2


def map_items(connection: Connection) -> tuple[object, ...]:
    """The items as this write sees them."""
    found = ITEMS.each(connection, ["labelled", "milk", "rye", "tea"])
    return tuple(row for rows in found.values() for row in rows)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(COUNT_ITEMS.first, id="a read"),
        pytest.param(lambda connection: RESTOCK.change(connection, of="low"), id="a write"),
        pytest.param(
            lambda connection: connection.exec_driver_sql("SELECT * FROM line"), id="a text"
        ),
    ],
)
async def test_a_failure_after_a_statement_makes_the_batch_begin_again(
    shop: Shop, statement: Callable[[Connection], object]
) -> None:
    """Changes that were sent are undone by the database; the others commit what they would."""
    runs = Counter[str]()
    results = await shop.together(
        counted(runs, "before", putting(TEA)),
        refuse_after(statement),
        counted(runs, "after", map_items),
    )

    assert isinstance(results[1], RefusedError)
    assert runs["before"] == 2
    assert await shop.rows("item") == [*AT_FIRST, TEA]
    assert await shop.rows("entry") == []
    assert results[2] == (*AT_FIRST, TEA)


async def test_a_write_that_runs_twice_reports_its_changes_once(shop: Shop) -> None:
    """Changes of a run that was undone are not reported."""
    reported: list[Change] = []
    shop.database.on_changes(reported.extend)
    runs = Counter[str]()

    def note(connection: Connection) -> None:
        announce(connection, [Change(1, "order", 1, "Sold")])

    await shop.together(counted(runs, "note", note), refuse_after(COUNT_ITEMS.first))
    assert runs == {"note": 2}
    assert reported == [Change(1, "order", 1, "Sold")]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c: put(c, ("debt", "low", -1, None)), id="check"),
        pytest.param(lambda c: put(c, ("twin", "low", 1, "unique")), id="unique"),
        pytest.param(lambda c: put(c, ("none", None, 1, None)), id="not null"),
        pytest.param(
            lambda c: LINES.put(c, {"basket": "nobody", "number": 1, "sku": "x"}), id="foreign key"
        ),
    ],
)
async def test_a_violation_fails_only_its_writer(
    shop: Shop, change: Callable[[Connection], object]
) -> None:
    """Of a batch that violates a constraint, only the write fails that is to blame."""
    before, culprit, seen = await shop.together(
        putting(TEA), in_turn(putting(RYE), change), map_items
    )

    assert before is None
    assert isinstance(culprit, CONSTRAINT_VIOLATION)
    assert seen == (*AT_FIRST, TEA)
    assert await shop.rows("item") == [*AT_FIRST, TEA]


async def test_a_reader_is_not_blamed_for_what_others_wrote(shop: Shop) -> None:
    """A write whose statement sends the wrong changes of another one does not fail for them."""
    culprit, reader, mender = await shop.together(
        putting(("debt", "low", -1, None)),
        COUNT_ITEMS.first,
        lambda connection: ITEMS.delete(connection, "debt"),
    )

    assert isinstance(culprit, CONSTRAINT_VIOLATION)
    assert (reader, mender) == ((2, 6), None)


async def test_a_caught_error_of_others_changes_nothing(shop: Shop) -> None:
    """A write that catches every error still answers from what was committed before it."""

    def count(connection: Connection) -> object:
        try:
            return COUNT_ITEMS.first(connection)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    culprit, reader, _ = await shop.together(
        putting(("debt", "low", -1, None)),
        count,
        lambda connection: ITEMS.delete(connection, "debt"),
    )
    assert isinstance(culprit, CONSTRAINT_VIOLATION)
    assert reader == (2, 6)


@pytest.mark.parametrize("databases", KINDS, indirect=True)
async def test_a_write_may_catch_the_error_of_its_own_statement(shop: Shop) -> None:
    """On SQLite the write goes on; PostgreSQL refuses to, and the write fails alone."""

    def catch(connection: Connection) -> str:
        put(connection, RYE)
        with pytest.raises(IntegrityError):
            connection.exec_driver_sql("INSERT INTO item VALUES ('milk', 'low', 1, NULL)")
        return "caught"

    _, caught, after = await shop.together(putting(TEA), catch, map_items)

    if isinstance(caught, RuntimeError):
        assert after == (*AT_FIRST, TEA)
    else:
        assert caught == "caught"
        assert after == (*AT_FIRST, RYE, TEA)
    assert set(await shop.rows("item")) == set(as_rows(after))


def as_rows(rows: object) -> tuple[Any, ...]:
    """The rows that a write has answered."""
    assert isinstance(rows, tuple)
    return rows


@pytest.mark.parametrize("key", [*UNREADABLE, 7, ("milk", "milk")], ids=repr)
async def test_a_need_that_cannot_be_read_harms_nobody(shop: Shop, key: object) -> None:
    """A need is a hint: writes run as if a wrong one had not been named."""
    results = await shop.together(putting(TEA), map_items, needs=[ITEMS.need(key)])

    assert results == [None, (*AT_FIRST, TEA)]
