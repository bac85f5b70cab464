"""Reservations, from the request to the tables, in one transaction each."""

from datetime import timedelta

import pytest
from tradepost.inventory.v1 import reservation_pb2 as pb

from services.inventory.domain.errors import ReservationStateConflictError
from tests.support.inventory.inventory_in_memory import OPENING, TTL_S, InventoryInMemory, reserve


def test_a_reservation_holds_its_units_at_todays_prices(shop: InventoryInMemory) -> None:
    """A hold keeps name and price by value and sets all its units aside."""
    shop.stocks("apple", 5, price_minor=30)
    shop.stocks("pear", 5, price_minor=50)

    held = shop.reserves("1", pear=1, apple=2)
    shop.stocks("apple", 0, price_minor=99)

    assert held.state == pb.RESERVATION_STATE_HELD
    assert [(line.sku, line.quantity, line.line_total.minor_units) for line in held.lines] == [
        ("apple", 2, 60),
        ("pear", 1, 50),
    ]
    assert held.total.minor_units == 110
    assert held.expire_time.ToDatetime(OPENING.tzinfo) == OPENING + timedelta(seconds=TTL_S)
    assert shop.counts("apple") == (5, 2, 0)
    assert shop.reservation("1") == held


def test_all_lines_or_none(shop: InventoryInMemory) -> None:
    """One short line keeps every other line on the shelf, and every short SKU is named."""
    shop.stocks("apple", 5)
    shop.stocks("pear", 1)
    shop.stocks("fig", 0)

    rejected = shop.reserves("1", apple=1, pear=2, fig=1)

    assert rejected.state == pb.RESERVATION_STATE_REJECTED
    assert rejected.refusal.reason == pb.RESERVATION_REFUSAL_REASON_INSUFFICIENT_STOCK
    assert [(s.sku, s.requested_count, s.available_count) for s in rejected.refusal.shortages] == [
        ("fig", 1, 0),
        ("pear", 2, 1),
    ]
    assert shop.counts("apple") == (5, 0, 0)
    assert shop.reservation("1") == rejected


def test_lines_of_one_sku_are_one_line(shop: InventoryInMemory) -> None:
    """Two lines of one SKU are summed before anybody looks at the shelf."""
    shop.stocks("apple", 5)
    request = reserve("1", apple=3)
    request.lines.add(sku="apple", quantity=3)

    rejected = shop.sends(request)

    assert rejected.refusal.shortages[0].requested_count == 6


def test_committing_drops_the_ttl(shop: InventoryInMemory) -> None:
    """A committed reservation never expires."""
    shop.stocks("apple", 5)
    shop.reserves("1", apple=2)

    committed = shop.commits("1")
    shop.clock.passes(TTL_S * 10)

    assert committed.state == pb.RESERVATION_STATE_COMMITTED
    assert not committed.HasField("expire_time")
    assert shop.sweeps() == 0
    assert shop.counts("apple") == (5, 0, 2)


def test_a_hold_that_ran_out_cannot_be_committed(shop: InventoryInMemory) -> None:
    """A late commit expires the hold itself and says so, now and in every repetition."""
    shop.stocks("apple", 5)
    shop.reserves("1", apple=2)
    shop.clock.passes(TTL_S)

    late = shop.commits("1")

    assert late.state == pb.RESERVATION_STATE_EXPIRED
    assert late.refusal.reason == pb.RESERVATION_REFUSAL_REASON_RESERVATION_EXPIRED
    assert shop.counts("apple") == (5, 0, 0)
    assert shop.commits("1") == late
    assert shop.reservation("1") == late


def test_fulfilling_takes_the_units_out_of_the_building(shop: InventoryInMemory) -> None:
    """Fulfilled units are neither on hand nor committed."""
    shop.stocks("apple", 5)
    shop.reserves("1", apple=2)
    shop.commits("1")

    fulfilled = shop.fulfills("1")

    assert fulfilled.state == pb.RESERVATION_STATE_FULFILLED
    assert shop.counts("apple") == (3, 0, 0)
    assert shop.fulfills("1") == fulfilled


@pytest.mark.parametrize("stand", ["held", "committed"])
def test_a_release_gives_the_units_back(shop: InventoryInMemory, stand: str) -> None:
    """Held and committed units alike can be reserved again after a release."""
    shop.stocks("apple", 2)
    shop.reserves("1", apple=2)
    if stand == "committed":
        shop.commits("1")

    assert shop.releases("1").state == pb.RESERVATION_STATE_RELEASED

    assert shop.counts("apple") == (2, 0, 0)
    assert shop.reserves("2", apple=2).state == pb.RESERVATION_STATE_HELD


def test_releasing_what_is_over_changes_nothing(shop: InventoryInMemory) -> None:
    """Released, expired and rejected reservations answer a release with what they are."""
    shop.stocks("apple", 2)
    shop.reserves("1", apple=9)
    shop.reserves("2", apple=1)
    shop.releases("2")
    shop.reserves("3", apple=1)
    shop.clock.passes(TTL_S)
    shop.sweeps()
    before = shop.event_types()

    states = [shop.releases(order).state for order in ("1", "2", "3")]

    assert states == [
        pb.RESERVATION_STATE_REJECTED,
        pb.RESERVATION_STATE_RELEASED,
        pb.RESERVATION_STATE_EXPIRED,
    ]
    assert shop.event_types() == before


def test_a_release_fences_the_reserve_that_comes_after_it(shop: InventoryInMemory) -> None:
    """A release of the unknown leaves a tombstone; the late reserve takes nothing."""
    shop.stocks("apple", 2)

    tombstone = shop.releases("1")
    fenced = shop.reserves("1", apple=1)

    assert tombstone.state == fenced.state == pb.RESERVATION_STATE_RELEASED
    assert fenced.refusal.reason == pb.RESERVATION_REFUSAL_REASON_RESERVATION_FENCED
    assert fenced.version == 2
    assert shop.counts("apple") == (2, 0, 0)
    assert shop.reserves("1", apple=1) == fenced
    assert shop.event_types()[1:] == ["ReservationReleased", "ReservationRejected"]


def test_units_of_holds_that_ran_out_can_be_reserved_at_once(shop: InventoryInMemory) -> None:
    """A reserve that would be short expires what stands in its way, nothing else."""
    shop.stocks("apple", 2)
    shop.stocks("pear", 2)
    shop.reserves("1", apple=2)
    shop.reserves("2", pear=2)
    shop.clock.passes(TTL_S)

    held = shop.reserves("3", apple=2)

    assert held.state == pb.RESERVATION_STATE_HELD
    assert shop.reservation("1").state == pb.RESERVATION_STATE_EXPIRED
    assert shop.reservation("2").state == pb.RESERVATION_STATE_HELD


def test_the_sweeper_ends_only_what_ran_out(shop: InventoryInMemory) -> None:
    """A sweep is bounded, takes the oldest first, and leaves fresh and committed ones alone."""
    shop.stocks("apple", 9)
    for order in ("1", "2", "3"):
        shop.reserves(order, apple=1)
        shop.clock.passes(1)
    shop.commits("2")
    shop.clock.passes(TTL_S - 2)

    assert shop.sweeps(limit=1) == 1
    assert shop.reservation("1").state == pb.RESERVATION_STATE_EXPIRED
    assert shop.sweeps() == 0
    shop.clock.passes(1)
    assert shop.sweeps() == 1
    assert shop.counts("apple") == (9, 0, 1)
    assert shop.sweeps() == 0


def test_a_reservation_goes_its_way_only(shop: InventoryInMemory) -> None:
    """What contradicts the state is refused by name and changes nothing."""
    shop.stocks("apple", 9)
    shop.reserves("1", apple=1)
    with pytest.raises(ReservationStateConflictError):
        shop.fulfills("1")
    shop.commits("1")
    shop.fulfills("1")
    with pytest.raises(ReservationStateConflictError):
        shop.releases("1")
    with pytest.raises(ReservationStateConflictError):
        shop.commits("1")
    assert shop.counts("apple") == (8, 0, 0)


def test_versions_and_times_of_a_reservation_only_grow(shop: InventoryInMemory) -> None:
    """Versions count the events of the stream; times come from the shop's own clock."""
    shop.stocks("apple", 9)
    seen = [shop.reserves("1", apple=1)]
    shop.clock.passes(1)
    seen.append(shop.commits("1"))
    shop.clock.passes(-30)
    seen.append(shop.fulfills("1"))

    assert [each.version for each in seen] == [1, 2, 3]
    times = [each.update_time.ToMicroseconds() for each in seen]
    assert times == sorted(times)
    assert {each.create_time.ToMicroseconds() for each in seen} == {times[0]}


def test_the_ledger_adds_up_to_the_level(shop: InventoryInMemory) -> None:
    """Every change of a level is a line of the ledger, in order."""
    shop.stocks("apple", 9)
    shop.adjusts("apple", -1)
    shop.reserves("1", apple=3)
    shop.commits("1")
    shop.fulfills("1")
    shop.reserves("2", apple=2)
    shop.releases("2")
    shop.reserves("3", apple=1)
    shop.clock.passes(TTL_S)
    shop.sweeps()

    assert shop.movements(sku="apple") == [
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
    assert shop.counts("apple") == (5, 0, 0)
    assert shop.level("apple").version == 9
