"""Reservations, from the request to the tables."""

from datetime import timedelta

import pytest
from tradepost.inventory.v1 import reservation_pb2 as pb

from services.inventory.domain.errors import ReservationStateConflictError
from tests.support.inventory.inventory_in_memory import OPENING, TTL_S, InventoryInMemory, reserve


def test_a_reservation_holds_its_units_at_todays_prices(inventory: InventoryInMemory) -> None:
    """A hold keeps name and price by value and sets all its units aside."""
    inventory.stocks("apple", 5, price_minor=30)
    inventory.stocks("pear", 5, price_minor=50)

    held = inventory.reserves("1", pear=1, apple=2)
    inventory.stocks("apple", 0, price_minor=99)

    assert held.state == pb.RESERVATION_STATE_HELD
    assert [(line.sku, line.quantity, line.line_total.minor_units) for line in held.lines] == [
        ("apple", 2, 60),
        ("pear", 1, 50),
    ]
    assert held.total.minor_units == 110
    assert held.expire_time.ToDatetime(OPENING.tzinfo) == OPENING + timedelta(seconds=TTL_S)
    assert inventory.counts("apple") == (5, 2, 0)
    assert inventory.reservation("1") == held


def test_all_lines_or_none(inventory: InventoryInMemory) -> None:
    """If one line is short, no line is held, and every short SKU is named."""
    inventory.stocks("apple", 5)
    inventory.stocks("pear", 1)
    inventory.stocks("fig", 0)

    rejected = inventory.reserves("1", apple=1, pear=2, fig=1)

    assert rejected.state == pb.RESERVATION_STATE_REJECTED
    assert rejected.refusal.reason == pb.RESERVATION_REFUSAL_REASON_INSUFFICIENT_STOCK
    assert [(s.sku, s.requested_count, s.available_count) for s in rejected.refusal.shortages] == [
        ("fig", 1, 0),
        ("pear", 2, 1),
    ]
    assert inventory.counts("apple") == (5, 0, 0)
    assert inventory.reservation("1") == rejected


def test_lines_of_one_sku_are_one_line(inventory: InventoryInMemory) -> None:
    """Lines of one SKU are summed before the stock is checked."""
    inventory.stocks("apple", 5)
    request = reserve("1", apple=3)
    request.lines.add(sku="apple", quantity=3)

    rejected = inventory.sends(request)

    assert rejected.refusal.shortages[0].requested_count == 6


def test_committing_drops_the_ttl(inventory: InventoryInMemory) -> None:
    """A committed reservation never expires."""
    inventory.stocks("apple", 5)
    inventory.reserves("1", apple=2)

    committed = inventory.commits("1")
    inventory.clock.passes(TTL_S * 10)

    assert committed.state == pb.RESERVATION_STATE_COMMITTED
    assert not committed.HasField("expire_time")
    assert inventory.expire_overdue() == 0
    assert inventory.counts("apple") == (5, 0, 2)


def test_a_hold_that_ran_out_cannot_be_committed(inventory: InventoryInMemory) -> None:
    """A commit of an overdue hold expires it, and every repetition says so."""
    inventory.stocks("apple", 5)
    inventory.reserves("1", apple=2)
    inventory.clock.passes(TTL_S)

    late = inventory.commits("1")

    assert late.state == pb.RESERVATION_STATE_EXPIRED
    assert late.refusal.reason == pb.RESERVATION_REFUSAL_REASON_RESERVATION_EXPIRED
    assert inventory.counts("apple") == (5, 0, 0)
    assert inventory.commits("1") == late
    assert inventory.reservation("1") == late


def test_fulfilling_takes_the_units_out_of_the_building(inventory: InventoryInMemory) -> None:
    """Fulfilled units are neither on hand nor committed."""
    inventory.stocks("apple", 5)
    inventory.reserves("1", apple=2)
    inventory.commits("1")

    fulfilled = inventory.fulfills("1")

    assert fulfilled.state == pb.RESERVATION_STATE_FULFILLED
    assert inventory.counts("apple") == (3, 0, 0)
    assert inventory.fulfills("1") == fulfilled


@pytest.mark.parametrize("stand", ["held", "committed"])
def test_a_release_gives_the_units_back(inventory: InventoryInMemory, stand: str) -> None:
    """Held and committed units alike can be reserved again after a release."""
    inventory.stocks("apple", 2)
    inventory.reserves("1", apple=2)
    if stand == "committed":
        inventory.commits("1")

    assert inventory.releases("1").state == pb.RESERVATION_STATE_RELEASED

    assert inventory.counts("apple") == (2, 0, 0)
    assert inventory.reserves("2", apple=2).state == pb.RESERVATION_STATE_HELD


def test_releasing_what_is_over_changes_nothing(inventory: InventoryInMemory) -> None:
    """Releasing a released, expired or rejected reservation changes nothing."""
    inventory.stocks("apple", 2)
    inventory.reserves("1", apple=9)
    inventory.reserves("2", apple=1)
    inventory.releases("2")
    inventory.reserves("3", apple=1)
    inventory.clock.passes(TTL_S)
    inventory.expire_overdue()
    before = inventory.event_types()

    states = [inventory.releases(order).state for order in ("1", "2", "3")]

    assert states == [
        pb.RESERVATION_STATE_REJECTED,
        pb.RESERVATION_STATE_RELEASED,
        pb.RESERVATION_STATE_EXPIRED,
    ]
    assert inventory.event_types() == before


def test_a_release_fences_the_reserve_that_comes_after_it(inventory: InventoryInMemory) -> None:
    """A release of an unknown reservation leaves a tombstone; the late reserve holds nothing."""
    inventory.stocks("apple", 2)

    tombstone = inventory.releases("1")
    fenced = inventory.reserves("1", apple=1)

    assert tombstone.state == fenced.state == pb.RESERVATION_STATE_RELEASED
    assert fenced.refusal.reason == pb.RESERVATION_REFUSAL_REASON_RESERVATION_FENCED
    assert fenced.version == 2
    assert inventory.counts("apple") == (2, 0, 0)
    assert inventory.reserves("1", apple=1) == fenced
    assert inventory.event_types()[1:] == ["ReservationReleased", "ReservationRejected"]


def test_units_of_holds_that_ran_out_can_be_reserved_at_once(inventory: InventoryInMemory) -> None:
    """A reserve that would be short expires overdue holds of its items only."""
    inventory.stocks("apple", 2)
    inventory.stocks("pear", 2)
    inventory.reserves("1", apple=2)
    inventory.reserves("2", pear=2)
    inventory.clock.passes(TTL_S)

    held = inventory.reserves("3", apple=2)

    assert held.state == pb.RESERVATION_STATE_HELD
    assert inventory.reservation("1").state == pb.RESERVATION_STATE_EXPIRED
    assert inventory.reservation("2").state == pb.RESERVATION_STATE_HELD


def test_only_overdue_holds_are_expired(inventory: InventoryInMemory) -> None:
    """Expiry is bounded, starts with the oldest hold, and skips current and committed ones."""
    inventory.stocks("apple", 9)
    for order in ("1", "2", "3"):
        inventory.reserves(order, apple=1)
        inventory.clock.passes(1)
    inventory.commits("2")
    inventory.clock.passes(TTL_S - 2)

    assert inventory.expire_overdue(limit=1) == 1
    assert inventory.reservation("1").state == pb.RESERVATION_STATE_EXPIRED
    assert inventory.expire_overdue() == 0
    inventory.clock.passes(1)
    assert inventory.expire_overdue() == 1
    assert inventory.counts("apple") == (9, 0, 1)
    assert inventory.expire_overdue() == 0


def test_a_reservation_goes_its_way_only(inventory: InventoryInMemory) -> None:
    """A command that contradicts the state is refused and changes nothing."""
    inventory.stocks("apple", 9)
    inventory.reserves("1", apple=1)
    with pytest.raises(ReservationStateConflictError):
        inventory.fulfills("1")
    inventory.commits("1")
    inventory.fulfills("1")
    with pytest.raises(ReservationStateConflictError):
        inventory.releases("1")
    with pytest.raises(ReservationStateConflictError):
        inventory.commits("1")
    assert inventory.counts("apple") == (8, 0, 0)


def test_versions_and_times_of_a_reservation_only_grow(inventory: InventoryInMemory) -> None:
    """Versions count the events of the stream; update times never go back."""
    inventory.stocks("apple", 9)
    seen = [inventory.reserves("1", apple=1)]
    inventory.clock.passes(1)
    seen.append(inventory.commits("1"))
    inventory.clock.passes(-30)
    seen.append(inventory.fulfills("1"))

    assert [each.version for each in seen] == [1, 2, 3]
    times = [each.update_time.ToMicroseconds() for each in seen]
    assert times == sorted(times)
    assert {each.create_time.ToMicroseconds() for each in seen} == {times[0]}


def test_the_ledger_adds_up_to_the_level(inventory: InventoryInMemory) -> None:
    """The movements in the ledger add up to the stock level."""
    inventory.stocks("apple", 9)
    inventory.adjusts("apple", -1)
    inventory.reserves("1", apple=3)
    inventory.commits("1")
    inventory.fulfills("1")
    inventory.reserves("2", apple=2)
    inventory.releases("2")
    inventory.reserves("3", apple=1)
    inventory.clock.passes(TTL_S)
    inventory.expire_overdue()

    assert inventory.movements(sku="apple") == [
        ("apple", "INITIAL", 9, 0, 0),
        ("apple", "ADJUSTED", -1, 0, 0),
        ("apple", "HELD", 0, 3, 0),
        ("apple", "COMMITTED", 0, -3, 3),
        ("apple", "FULFILLED", -3, 0, -3),
        ("apple", "HELD", 0, 2, 0),
        ("apple", "RELEASED", 0, -2, 0),
        ("apple", "HELD", 0, 1, 0),
        ("apple", "EXPIRED", 0, -1, 0),
    ]
    assert inventory.counts("apple") == (5, 0, 0)
    assert inventory.level("apple").version == 9
