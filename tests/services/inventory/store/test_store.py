"""The tables themselves: what the database refuses, and how it finds things."""

from typing import Any, cast

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from services.inventory.domain.reservation import ReservationState
from services.inventory.domain.stock import Movement, MovementKind
from services.inventory.store import listing, reservations, shelves, tables
from services.inventory.wire import queries
from tests.support.inventory.inventory_in_memory import OPENING, TTL_S, Shop, ord_, rsv
from tests.support.store.databases import CONSTRAINT_VIOLATION, SQLITE


def test_the_migrations_lead_to_the_tables_of_the_code(shop: Shop) -> None:
    """What a start brings about is what the statements are written for."""
    context = MigrationContext.configure(
        shop.connection,
        opts={"include_object": lambda _, name, kind, *__: kind != "table" or name in TABLES},
    )
    assert compare_metadata(context, tables.METADATA) == []


TABLES = set(tables.METADATA.tables)


@pytest.mark.parametrize(
    ("on_hand", "held", "committed"),
    [(-6, 0, 0), (0, -1, 0), (0, 0, -1), (0, 4, 2), (0, 6, 0), (-1, 5, 0)],
)
def test_the_database_itself_refuses_a_bad_level(
    shop: Shop, on_hand: int, held: int, committed: int
) -> None:
    """Whatever a bug asks for, nothing is below zero and nothing is promised twice."""
    shop.stocks("apple", 5)
    movement = Movement("apple", MovementKind.ADJUSTED, on_hand, held, committed)

    with pytest.raises(CONSTRAINT_VIOLATION, match="stock_"):
        shop.write(shelves.move, [movement], OPENING)

    assert shop.counts("apple") == (5, 0, 0)


@pytest.mark.parametrize("databases", [SQLITE], indirect=True)
@pytest.mark.parametrize("skus", [None, ["apple"]], ids=["any", "touching"])
def test_holds_that_ran_out_are_found_by_their_index(
    shop: Shop, skus: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweeper looks at what is due, not at everything that ever was."""
    plans: list[str] = []
    driver = cast(Any, shop.connection.connection).dbapi_connection
    driver.set_trace_callback(plans.append)
    reservations.run_out(shop.connection, OPENING, 10, skus=skus)
    driver.set_trace_callback(None)

    plan = shop.connection.execute(text("EXPLAIN QUERY PLAN " + plans[-1])).all()

    assert any("reservation_hold_by_expiry" in row[3] for row in plan), plan


@pytest.mark.parametrize("databases", [SQLITE], indirect=True)
def test_pages_of_reservations_come_from_an_index(shop: Shop) -> None:
    """A page costs the same however many reservations there are."""
    plans: list[str] = []
    driver = cast(Any, shop.connection.connection).dbapi_connection
    driver.set_trace_callback(plans.append)
    reservations.keys_after(shop.connection, ReservationState.HELD, 0, "", 10)
    driver.set_trace_callback(None)

    plan = shop.connection.execute(text("EXPLAIN QUERY PLAN " + plans[-1])).all()

    assert [row[3] for row in plan if "SCAN" in row[3] or "TEMP B-TREE" in row[3]] == []


def test_pages_hold_every_reservation_once_while_states_change(shop: Shop) -> None:
    """The key of a page is when a reservation was made, which never changes."""
    shop.stocks("apple", 99)
    for number in range(1, 8):
        shop.reserves(str(number), apple=1)
        shop.clock.passes(1 if number % 2 else 0)
    seen: list[str] = []
    key: tuple[Any, ...] | None = (0, "")
    while key is not None:
        page = queries.ReservationPage(2, tuple(ReservationState), "", *key)
        listed = listing.reservations(shop.connection, page)
        seen += [each.reservation_id for each in listed.rows]
        key = listed.next_key
        shop.commits(str(len(seen)))

    assert seen == [rsv(str(number)) for number in range(1, 8)]


def test_the_reservation_of_an_order_is_found_by_its_id(shop: Shop) -> None:
    """One reservation has the order's UUID, and it is on the first page only."""
    shop.stocks("apple", 9)
    shop.reserves("1", apple=1)
    page = queries.ReservationPage(9, (ReservationState.HELD,), ord_("1"), 0, "")

    (found,) = listing.reservations(shop.connection, page).rows
    after = queries.ReservationPage(9, page.states, page.order_id, 1 << 60, "")

    assert found.reservation_id == rsv("1")
    assert listing.reservations(shop.connection, after).rows == []


def test_a_reserve_expires_no_more_than_it_may(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reserve that is short ends holds up to its bound, so others need not wait for long."""
    monkeypatch.setattr("services.inventory.api.reservation_writes.MAX_EXPIRED_BY_RESERVE", 2)
    shop.stocks("apple", 3)
    for order in ("1", "2", "3"):
        shop.reserves(order, apple=1)
    shop.clock.passes(TTL_S)

    rejected = shop.reserves("4", apple=3)

    assert rejected.refusal.shortages[0].available_count == 2
    assert shop.counts("apple") == (3, 1, 0)


def test_a_page_of_large_baskets_is_shorter(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page ends early rather than outgrow what a client takes, and the next one goes on."""
    monkeypatch.setattr(listing, "MAX_LINES_A_PAGE", 4)
    monkeypatch.setattr(listing, "LOADED_AT_ONCE", 1)
    for sku in ("apple", "fig", "pear"):
        shop.stocks(sku, 9)
    for number in range(1, 4):
        shop.reserves(str(number), apple=1, fig=1, pear=1)
    states = (ReservationState.HELD,)

    first = listing.reservations(shop.connection, queries.ReservationPage(9, states, "", 0, ""))
    assert first.next_key is not None
    micros, reservation_id = first.next_key
    assert isinstance(micros, int)
    assert isinstance(reservation_id, str)
    rest = listing.reservations(
        shop.connection, queries.ReservationPage(9, states, "", micros, reservation_id)
    )

    assert [each.reservation_id for each in first.rows] == [rsv("1"), rsv("2")]
    assert [each.reservation_id for each in rest.rows] == [rsv("3")]
    assert rest.next_key is None
