"""The list of orders: its contents, its filters, and that no query reads all of it."""

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import Connection, Executable, insert, text
from sqlalchemy.sql import ClauseElement
from tradepost.order.v1 import order_pb2

from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog
from services.chassis.store.database import Database
from services.chassis.store.micros import to_micros
from services.order.domain.queries import OrderFilter, SagaFilter
from services.order.domain.state import OrderState
from services.order.store import order_view, saga_listing
from services.order.store.tables import MIGRATIONS, ORDER_VIEW
from services.order.wire.replies import to_order
from tests.support.clock.manual_clock import ManualClock
from tests.support.order.order_service import no_order_id
from tests.support.order.stepped_sagas import SteppedSagas
from tests.support.store.databases import SQLITE, Databases, open_database
from tests.support.store.query_plans import statements_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEY = (to_micros(NOON + timedelta(seconds=30)), "ord_" + "8" * 32)
SOME = (OrderState.CAPTURING, OrderState.CONFIRMED, OrderState.CANCELLING)

FILTERS = {
    "all": OrderFilter(page_size=20),
    "next page": OrderFilter(page_size=20, after=KEY),
    "customer": OrderFilter(page_size=20, customer_id="ann", after=KEY),
    "customer and states": OrderFilter(page_size=20, customer_id="ann", states=SOME, after=KEY),
    "one state": OrderFilter(page_size=20, states=SOME[:1], after=KEY),
    "states": OrderFilter(page_size=20, states=SOME, after=KEY),
    "time": OrderFilter(
        page_size=20,
        created_after=NOON + timedelta(seconds=10),
        created_before=NOON + timedelta(seconds=20),
    ),
    "everything": OrderFilter(
        page_size=20,
        customer_id="ann",
        states=SOME,
        created_after=NOON + timedelta(seconds=10),
        created_before=NOON + timedelta(seconds=50),
        after=KEY,
    ),
}

Row = dict[str, object]


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    """An empty list, with the indexes of the migrations."""
    database = await open_database(databases, MIGRATIONS)
    yield database
    await database.close()


def some_rows(number: int) -> list[Row]:
    """Make rows of orders within a minute, several of them at the same instant."""
    rng = random.Random(5)
    rows: list[Row] = []
    for _ in range(number):
        order_id = f"ord_{rng.getrandbits(128):032x}"
        rows.append(
            {
                "order_id": order_id,
                "customer_id": rng.choice(["ann", "bob", "carl"]),
                "state": rng.randint(1, 12),
                "needs_review": False,
                "create_time": to_micros(NOON + timedelta(seconds=rng.randint(0, 60))),
                "position": 1,
                "message": order_pb2.Order(order_id=order_id).SerializeToString(),
            }
        )
    return rows


def fill(connection: Connection, rows: list[Row]) -> None:
    """Put rows into the list."""
    connection.execute(insert(ORDER_VIEW), rows)


def matching(rows: list[Row], wanted: OrderFilter) -> list[object]:
    """Filter and sort the rows in Python."""
    since = to_micros(wanted.created_after) if wanted.created_after else 0
    until = to_micros(wanted.created_before) if wanted.created_before else 2**63
    keyed = [
        ((row["create_time"], row["order_id"]), row)
        for row in rows
        if (not wanted.customer_id or row["customer_id"] == wanted.customer_id)
        and (not wanted.states or row["state"] in wanted.states)
        and since <= int(str(row["create_time"])) < until
    ]
    keys = sorted((key for key, _ in keyed), reverse=True)
    return [key[1] for key in keys if wanted.after is None or key < wanted.after][
        : wanted.page_size
    ]


@pytest.mark.parametrize("name", FILTERS)
async def test_every_filter_lists_the_matching_orders(database: Database, name: str) -> None:
    """Any combination of filters lists the newest first, by time and then by id."""
    rows, wanted = some_rows(400), FILTERS[name]
    clock = ManualClock()
    log = EventLog(clock=clock, ids=IdFactory(clock=clock, rng=random.Random(1)))
    await database.write(fill, rows)
    page = await database.read(order_view.page, log, wanted)
    expected = matching(rows, wanted)
    assert [snapshot.order.order_id for snapshot in page.rows] == expected
    assert expected


def plan_of(connection: Connection, statement: Executable) -> list[str]:
    """Read the database's plan of a query."""
    assert isinstance(statement, ClauseElement)
    compiled = statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    explained = connection.execute(text("EXPLAIN QUERY PLAN " + str(compiled).replace(":", "\\:")))
    return [str(row[3]) for row in explained]


@pytest.mark.parametrize("databases", [SQLITE], indirect=True)
@pytest.mark.parametrize("name", FILTERS)
async def test_no_list_reads_or_sorts_all_orders(database: Database, name: str) -> None:
    """Each query uses an index that ends in the sort key, so it does not slow down with size."""
    plan = await database.read(plan_of, order_view._page(FILTERS[name]))
    touched = [step for step in plan if "order_view" in step]
    assert touched
    assert all("USING INDEX order_view_" in step for step in touched), plan
    if name not in ("one state", "states"):
        assert not any("TEMP B-TREE" in step for step in plan), plan


async def test_a_page_of_large_orders_is_shorter(database: Database) -> None:
    """No answer exceeds 2 MiB: the other orders are on the next pages."""
    rows = some_rows(10)
    for row in rows:
        large = order_pb2.Order(order_id=str(row["order_id"]), cancel_reason="x" * 1_000_000)
        row["message"] = large.SerializeToString()
    clock = ManualClock()
    log = EventLog(clock=clock, ids=IdFactory(clock=clock, rng=random.Random(1)))
    await database.write(fill, rows)
    created = {row["order_id"]: int(str(row["create_time"])) for row in rows}
    sizes, seen, wanted = [], [], OrderFilter(page_size=1_000)
    while True:
        page = await database.read(order_view.page, log, wanted)
        sizes.append(len(page.rows))
        seen += [snapshot.order.order_id for snapshot in page.rows]
        if not page.has_more:
            break
        wanted = replace(wanted, after=(created[seen[-1]], seen[-1]))
    assert sizes == [2, 2, 2, 2, 2]
    assert seen == matching(rows, OrderFilter(page_size=1_000))


@pytest.mark.parametrize("databases", [SQLITE], indirect=True)
async def test_sagas_are_found_from_their_leases(database: Database) -> None:
    """The query reads only the orders that have a lease, however many others are settled."""
    for wanted in (
        SagaFilter(page_size=50),
        SagaFilter(page_size=50, placed_before=NOON, after=KEY),
        SagaFilter(page_size=50, state=OrderState.CAPTURING, needs_review=False, after=KEY),
    ):
        first, then, *_ = await database.read(plan_of, saga_listing._page(wanted))
        assert first.startswith("SEARCH lease USING")
        assert then == "SEARCH order_view USING INDEX sqlite_autoindex_order_view_1 (order_id=?)"


async def test_the_list_agrees_with_the_streams(sagas: SteppedSagas) -> None:
    """The row is written in the transaction of the append, for every kind of event."""
    parts = await sagas.start()
    for method in ("pm_visa", "pm_declined", "pm_not_captured", "pm_refund_refused"):
        placed = await sagas.place(parts, method=method)
        await sagas.drive(parts, placed)
        if method == "pm_refund_refused":
            await sagas.drive(parts, await sagas.cancel(parts, placed.order_id))
    page = await parts.store.database.read(
        order_view.page, parts.store.log, OrderFilter(page_size=10)
    )
    assert len(page.rows) == 4
    for snapshot in page.rows:
        loaded = await parts.store.database.read(parts.store.streams.load, snapshot.order.order_id)
        assert snapshot.order == to_order(loaded.order)
        assert snapshot.position == loaded.position
        assert await parts.store.database.read(order_view.get, snapshot.order.order_id) == snapshot
    many = await parts.store.database.read(
        order_view.batch, [no_order_id(), *(snapshot.order.order_id for snapshot in page.rows)]
    )
    assert len(many.orders) == 4
    assert len(many.unknown_ids) == 1
    assert page.position == max(snapshot.position for snapshot in page.rows)


@pytest.mark.parametrize("databases", [SQLITE], indirect=True)
async def test_a_page_of_sagas_takes_two_statements(sagas: SteppedSagas) -> None:
    """However many sagas a page lists, it reads their leases together, and then their orders."""
    parts = await sagas.start()
    placed = [(await sagas.place(parts)).order_id for _ in range(5)]

    def page(connection: Connection) -> None:
        listed = parts.store.sagas.page(connection, SagaFilter(page_size=10))
        assert sorted(saga.order_id for saga in listed) == sorted(placed)

    assert len(await parts.store.database.read(statements_of, page)) == 2
