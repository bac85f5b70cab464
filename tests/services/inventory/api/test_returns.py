"""Units that had left come back: they are on hand again, and never more than had left."""

import pytest
from tradepost.inventory.v1 import reservation_pb2 as pb

from services.inventory.domain.errors import (
    ReservationNotFoundError,
    ReservationStateConflictError,
    ReturnExceedsFulfilledError,
    StockOverflowError,
)
from tests.support.inventory.inventory_in_memory import InventoryInMemory

_MAX_INT64 = 2**63 - 1


def fulfilled(inventory: InventoryInMemory, order: str, **units: int) -> None:
    """Reserve and ship units of items of which there are ten each."""
    for sku in units:
        inventory.stocks(sku, 10)
    inventory.reserves(order, **units)
    inventory.commits(order)
    inventory.fulfills(order)


def test_units_that_come_back_are_on_hand_again(inventory: InventoryInMemory) -> None:
    """A return puts units on hand and counts them on the reservation's line."""
    fulfilled(inventory, "1", apple=3, pear=2)

    returned = inventory.returns("1", apple=2)

    assert returned.state == pb.RESERVATION_STATE_FULFILLED
    assert {line.sku: line.returned_quantity for line in returned.lines} == {"apple": 2, "pear": 0}
    assert inventory.reservation("1") == returned
    assert inventory.counts("apple") == (9, 0, 0)
    assert inventory.counts("pear") == (8, 0, 0)
    assert inventory.movements(sku="apple")[-1] == ("apple", "RETURNED", 2, 0, 0)


def test_no_more_comes_back_than_has_left(inventory: InventoryInMemory) -> None:
    """Several returns together never exceed the fulfilled quantity; a refused one moves nothing."""
    fulfilled(inventory, "1", apple=3, pear=2)
    inventory.returns("1", apple=2)
    before = inventory.reservation("1")

    with pytest.raises(ReturnExceedsFulfilledError) as refused:
        inventory.returns("1", apple=2, pear=1)

    assert refused.value.facts["returnable"] == "1"
    assert inventory.reservation("1") == before
    assert inventory.counts("pear") == (8, 0, 0)
    inventory.returns("1", apple=1, pear=2)
    assert inventory.counts("apple") == (10, 0, 0)
    assert inventory.counts("pear") == (10, 0, 0)


def test_an_item_that_was_not_reserved_cannot_come_back(inventory: InventoryInMemory) -> None:
    """Nothing of an unknown line can be returned."""
    fulfilled(inventory, "1", apple=3)
    inventory.stocks("pear", 5)
    with pytest.raises(ReturnExceedsFulfilledError):
        inventory.returns("1", pear=1)


def test_only_what_has_left_comes_back(inventory: InventoryInMemory) -> None:
    """A reservation that is not FULFILLED takes nothing back, and an unknown one is not found."""
    inventory.stocks("apple", 5)
    inventory.reserves("1", apple=1)
    with pytest.raises(ReservationStateConflictError):
        inventory.returns("1", apple=1)
    inventory.commits("1")
    with pytest.raises(ReservationStateConflictError):
        inventory.returns("1", apple=1)
    with pytest.raises(ReservationNotFoundError):
        inventory.returns("2", apple=1)


def test_units_that_do_not_fit_stay_outside(inventory: InventoryInMemory) -> None:
    """A return that would overflow the stock level is refused and changes nothing."""
    fulfilled(inventory, "1", apple=3)
    inventory.adjusts("apple", _MAX_INT64 - 7)
    before = inventory.reservation("1")

    with pytest.raises(StockOverflowError):
        inventory.returns("1", apple=1)

    assert inventory.reservation("1") == before
    assert inventory.counts("apple") == (_MAX_INT64, 0, 0)


def test_a_return_in_the_past_does_not_turn_time_back(inventory: InventoryInMemory) -> None:
    """Versions grow by one with each return, and update times never go back."""
    fulfilled(inventory, "1", apple=3)
    inventory.clock.passes(-30)
    first, second = inventory.returns("1", apple=1), inventory.returns("1", apple=1)
    assert [first.version, second.version] == [4, 5]
    assert second.update_time.ToMicroseconds() >= first.update_time.ToMicroseconds()
