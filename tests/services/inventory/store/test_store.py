"""The tables: constraints, indexes and pages."""

from collections.abc import Callable
from contextvars import copy_context
from typing import Any, cast

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from tradepost.inventory.v1 import inventory_service_pb2 as rpc

from services.chassis.identity import caller
from services.chassis.identity.caller import UNKNOWN, Caller
from services.chassis.store.micros import to_micros
from services.inventory.domain.queries import ReservationFilter
from services.inventory.domain.state import Movement, MovementKind, ReservationState
from services.inventory.store import (
    movement_rows,
    reservation_listing,
    reservation_rows,
    tables,
)
from services.inventory.wire import queries
from tests.support.inventory.inventory_in_memory import OPENING, TTL_S, InventoryInMemory, ord_, rsv
from tests.support.store.databases import CONSTRAINT_VIOLATION, SQLITE


def test_the_migrations_lead_to_the_tables_of_the_code(inventory: InventoryInMemory) -> None:
    """The migrations make the tables that the code declares."""
    context = MigrationContext.configure(
        inventory.connection,
        opts={"include_object": lambda _, name, kind, *__: kind != "table" or name in TABLES},
    )
    assert compare_metadata(context, tables.METADATA) == []


TABLES = set(tables.METADATA.tables)


@pytest.mark.parametrize(
    ("on_hand", "held", "committed"),
    [(-6, 0, 0), (0, -1, 0), (0, 0, -1), (0, 4, 2), (0, 6, 0), (-1, 5, 0)],
)
def test_the_database_itself_refuses_a_bad_level(
    inventory: InventoryInMemory, on_hand: int, held: int, committed: int
) -> None:
    """Constraints refuse negative levels and units that are reserved twice."""
    inventory.stocks("apple", 5)
    movement = Movement("apple", MovementKind.ADJUSTED, on_hand, held, committed)

    with pytest.raises(CONSTRAINT_VIOLATION, match="stock_"):
        inventory.write(movement_rows.move, [movement], OPENING)

    assert inventory.counts("apple") == (5, 0, 0)


@pytest.mark.parametrize("databases", [SQLITE], indirect=True)
@pytest.mark.parametrize("skus", [None, ["apple"]], ids=["any", "touching"])
def test_holds_that_ran_out_are_found_by_their_index(
    inventory: InventoryInMemory, skus: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Overdue holds are found by their index, not by a scan."""
    plans: list[str] = []
    driver = cast(Any, inventory.connection.connection).dbapi_connection
    driver.set_trace_callback(plans.append)
    reservation_rows.list_overdue(inventory.connection, OPENING, 10, skus=skus)
    driver.set_trace_callback(None)

    plan = inventory.connection.execute(text("EXPLAIN QUERY PLAN " + plans[-1])).all()

    assert any("reservation_hold_by_expiry" in row[3] for row in plan), plan


@pytest.mark.parametrize("databases", [SQLITE], indirect=True)
def test_pages_of_reservations_come_from_an_index(inventory: InventoryInMemory) -> None:
    """Pages of reservations are read from an index, without a scan or a sort."""
    plans: list[str] = []
    driver = cast(Any, inventory.connection.connection).dbapi_connection
    driver.set_trace_callback(plans.append)
    reservation_rows.keys_after(inventory.connection, ReservationState.HELD, 0, "", 10)
    driver.set_trace_callback(None)

    plan = inventory.connection.execute(text("EXPLAIN QUERY PLAN " + plans[-1])).all()

    assert [row[3] for row in plan if "SCAN" in row[3] or "TEMP B-TREE" in row[3]] == []


def test_pages_hold_each_reservation_once_while_states_change(
    inventory: InventoryInMemory,
) -> None:
    """Pages list each reservation once, because its creation time never changes."""
    inventory.stocks("apple", 99)
    for number in range(1, 8):
        inventory.reserves(str(number), apple=1)
        inventory.clock.passes(1 if number % 2 else 0)
    seen: list[str] = []
    key, has_more = (0, ""), True
    while has_more:
        wanted = ReservationFilter(3, tuple(ReservationState), "", key)
        rows, has_more = reservation_listing.list_reservations(inventory.connection, wanted)
        seen += [each.reservation_id for each in rows]
        key = (to_micros(rows[-1].create_time), rows[-1].reservation_id)
        inventory.commits(str(len(seen)))

    assert seen == [rsv(str(number)) for number in range(1, 8)]


def test_the_reservation_of_an_order_is_found_by_its_id(inventory: InventoryInMemory) -> None:
    """The filter by order finds the reservation with the order's UUID, on the first page only."""
    inventory.stocks("apple", 9)
    inventory.reserves("1", apple=1)
    wanted = ReservationFilter(10, (ReservationState.HELD,), ord_("1"), (0, ""))

    (found,), _ = reservation_listing.list_reservations(inventory.connection, wanted)
    after = ReservationFilter(10, wanted.states, wanted.order_id, (1 << 60, ""))

    assert found.reservation_id == rsv("1")
    assert reservation_listing.list_reservations(inventory.connection, after) == ([], False)


def test_a_reserve_expires_no_more_than_it_may(
    inventory: InventoryInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reserve expires a bounded number of holds, so that other writers do not wait long."""
    monkeypatch.setattr("services.inventory.api.reservation_writes.MAX_EXPIRED_BY_RESERVE", 2)
    inventory.stocks("apple", 3)
    for order in ("1", "2", "3"):
        inventory.reserves(order, apple=1)
    inventory.clock.passes(TTL_S)

    rejected = inventory.reserves("4", apple=3)

    assert rejected.refusal.shortages[0].available_count == 2
    assert inventory.counts("apple") == (3, 1, 0)


def test_a_page_of_large_baskets_is_shorter(
    inventory: InventoryInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of reservations with many lines is shorter, and the next page continues."""
    monkeypatch.setattr(reservation_listing, "MAX_LINES_A_PAGE", 4)
    monkeypatch.setattr(reservation_listing, "LOADED_AT_ONCE", 1)
    for sku in ("apple", "fig", "pear"):
        inventory.stocks(sku, 9)
    for number in range(1, 4):
        inventory.reserves(str(number), apple=1, fig=1, pear=1)
    states = (ReservationState.HELD,)

    first, more_than_first = reservation_listing.list_reservations(
        inventory.connection, ReservationFilter(10, states, "", (0, ""))
    )
    key = (to_micros(first[-1].create_time), first[-1].reservation_id)
    rest, more_than_rest = reservation_listing.list_reservations(
        inventory.connection, ReservationFilter(10, states, "", key)
    )

    assert [each.reservation_id for each in first] == [rsv("1"), rsv("2")]
    assert [each.reservation_id for each in rest] == [rsv("3")]
    assert (more_than_first, more_than_rest) == (True, False)


def test_a_movement_tells_who_moved_the_stock(inventory: InventoryInMemory) -> None:
    """A line of the ledger names its caller, and the reason where one was given."""
    changes: list[tuple[Caller, Callable[[], object]]] = [
        (Caller(subject="olga"), lambda: inventory.stocks("apple", 5)),
        (Caller(service="order"), lambda: inventory.reserves("1", apple=2)),
        (UNKNOWN, lambda: inventory.adjusts("apple", -1)),
    ]
    for who, change in changes:
        context = copy_context()
        context.run(caller.bind, who)
        context.run(change)

    wanted = queries.list_movements(rpc.ListStockMovementsRequest(sku="apple"))
    lines = movement_rows.list_movements(inventory.connection, wanted)
    assert [(line.movement.kind, line.actor) for line in lines] == [
        (MovementKind.INITIAL, "person:olga"),
        (MovementKind.HELD, "service:order"),
        (MovementKind.ADJUSTED, ""),
    ]
    assert lines[-1].movement.reason
