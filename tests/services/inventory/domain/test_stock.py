"""The rules of items and stock levels, as pure functions and through the store."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradepost.inventory.v1 import inventory_service_pb2 as rpc

from services.chassis.domain.money import Money
from services.inventory.domain.commands import AdjustStock, UpsertItem
from services.inventory.domain.errors import (
    EtagMismatchError,
    ItemNotFoundError,
    StockOverflowError,
    StockWouldGoNegativeError,
)
from services.inventory.domain.events import ItemUpserted, StockAdjusted
from services.inventory.domain.item_rules import decide, evolve
from services.inventory.domain.queries import ItemFilter
from services.inventory.domain.state import MAX_INT64, Item, StockedItem, StockLevel
from services.inventory.store import item_rows
from services.inventory.wire import requests
from tests.support.inventory.inventory_in_memory import InventoryInMemory, new_request_id, upsert

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
APPLE = UpsertItem("apple", "an apple", Money("USD", 100), None, 5)
ON_SHELF = StockedItem(
    Item("apple", "an apple", Money("USD", 100), 1, NOON), StockLevel("apple", 10, 3, 2, 4), 1
)


def test_only_a_new_item_comes_with_units() -> None:
    """The initial count sets the level of a new item only."""
    assert decide(APPLE, None) == (ItemUpserted("apple", "an apple", Money("USD", 100), 5),)
    dearer = replace(APPLE, unit_price=Money("USD", 101))
    assert decide(dearer, ON_SHELF) == (ItemUpserted("apple", "an apple", Money("USD", 101), 0),)


def test_an_item_that_is_so_already_is_not_changed() -> None:
    """An upsert without a change has no events."""
    assert decide(APPLE, ON_SHELF) == ()


def test_an_etag_guards_against_overwriting_a_change() -> None:
    """Only the item's current etag is accepted; an empty etag requires a new item."""
    dearer = replace(APPLE, unit_price=Money("USD", 101))
    assert decide(replace(dearer, etag=ON_SHELF.item.etag), ON_SHELF)
    assert decide(replace(APPLE, etag=""), None)
    for etag, stocked in (("", ON_SHELF), ("stale", ON_SHELF), ("stale", None)):
        with pytest.raises(EtagMismatchError):
            decide(replace(dearer, etag=etag), stocked)


def test_a_change_and_back_is_another_etag() -> None:
    """The etag differs after a change that was undone."""
    there = evolve(ON_SHELF, ItemUpserted("apple", "an apple", Money("USD", 101), 0), NOON)
    back = evolve(there, ItemUpserted("apple", "an apple", Money("USD", 100), 0), NOON)

    assert len({each.item.etag for each in (ON_SHELF, there, back)}) == 3


@given(
    on_hand=st.integers(0, MAX_INT64),
    held=st.integers(0, MAX_INT64),
    committed=st.integers(0, MAX_INT64),
    delta=st.integers(-MAX_INT64 - 1, MAX_INT64).filter(bool),
)
def test_an_adjustment_never_leaves_a_bad_level(
    on_hand: int, held: int, committed: int, delta: int
) -> None:
    """An adjustment below the reserved units or above 64 bits is refused."""
    held = min(held, on_hand)
    committed = min(committed, on_hand - held)
    stocked = replace(ON_SHELF, level=StockLevel("apple", on_hand, held, committed, 1))
    try:
        (event,) = decide(AdjustStock("apple", delta, "counted"), stocked)
    except StockWouldGoNegativeError:
        assert on_hand + delta < held + committed
    except StockOverflowError:
        assert on_hand + delta > MAX_INT64
    else:
        level = evolve(stocked, event, NOON).level
        assert held + committed <= level.on_hand <= MAX_INT64


def test_an_unknown_item_cannot_be_adjusted() -> None:
    """Stock of an unknown item cannot be adjusted."""
    with pytest.raises(ItemNotFoundError):
        decide(AdjustStock("apple", 1, "counted"), None)
    with pytest.raises(ItemNotFoundError):
        evolve(None, StockAdjusted("apple", 1, "counted"), NOON)


def test_items_are_made_or_changed_all_or_none(inventory: InventoryInMemory) -> None:
    """One stale etag in a batch refuses the whole batch."""
    inventory.stocks("apple", 5)
    request = rpc.UpsertItemsRequest(
        request_id=new_request_id(), items=[upsert("pear", 7), upsert("apple")]
    )
    request.items[1].etag = "stale"

    with pytest.raises(EtagMismatchError):
        inventory.write(inventory.items.upsert, requests.upsert_items(request))
    with pytest.raises(ItemNotFoundError):
        inventory.level("pear")

    request.items[1].ClearField("etag")
    answer = inventory.write(inventory.items.upsert, requests.upsert_items(request))
    assert [item.sku for item in answer.response.items] == ["pear", "apple"]
    assert inventory.counts("pear") == (7, 0, 0)


def test_an_import_repeated_later_answers_the_items_of_then(inventory: InventoryInMemory) -> None:
    """A replayed upsert returns the stored answer and changes nothing."""
    request = rpc.UpsertItemsRequest(request_id=new_request_id(), items=[upsert("apple", 5)])
    intention = requests.upsert_items(request)
    first = inventory.write(inventory.items.upsert, intention)
    inventory.stocks("apple", 0, price_minor=999)

    again = inventory.write(inventory.items.upsert, intention)

    assert again.replayed
    assert again.response == first.response
    (item,) = item_rows.list_items(inventory.connection, ItemFilter(10, ""))
    assert item.unit_price == Money("USD", 999)


def test_reservations_do_not_disturb_the_items_own_stream(inventory: InventoryInMemory) -> None:
    """An item's etag changes with the item only, not with its stock."""
    made = inventory.stocks("apple", 5)
    inventory.reserves("1", apple=2)
    inventory.adjusts("apple", 4)
    inventory.commits("1")
    changed = inventory.stocks("apple", 0, price_minor=120)
    inventory.adjusts("apple", -7)

    assert made.etag != changed.etag
    assert inventory.counts("apple") == (2, 0, 2)
    assert [event for event in inventory.event_types() if not event.startswith("Res")] == [
        "ItemUpserted",
        "StockAdjusted",
        "ItemUpserted",
        "StockAdjusted",
    ]


def test_five_hundred_items_come_in_one_transaction(inventory: InventoryInMemory) -> None:
    """One upsert of many items writes an event and a movement for each."""
    request = rpc.UpsertItemsRequest(
        request_id=new_request_id(),
        items=[upsert(f"sku-{number:03}", number) for number in range(500)],
    )

    inventory.write(inventory.items.upsert, requests.upsert_items(request))

    assert inventory.counts("sku-499") == (499, 0, 0)
    assert inventory.event_types() == ["ItemUpserted"] * 500
    assert len(inventory.movements()) == 499
