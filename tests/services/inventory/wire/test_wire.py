"""Validation of requests, filters and pages, and conversion of replies."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from tradepost.inventory.v1 import inventory_service_pb2 as rpc
from tradepost.inventory.v1 import item_pb2, reservation_pb2

from services.chassis.request.errors import InvalidRequestError
from services.chassis.request.pages import arguments_of, encode_token
from services.inventory.domain.state import (
    MovementKind,
    Refusal,
    RefusalReason,
    ReservationState,
    Shortage,
    StockLevel,
)
from services.inventory.wire import events, queries, replies, requests
from tests.support.inventory.inventory_in_memory import new_request_id, ord_, reserve, rsv, upsert

M = TypeVar("M", bound=Message)


def bad_fields(check: Callable[[M], object], request: M) -> set[str]:
    """The bad fields that a check reports."""
    with pytest.raises(InvalidRequestError) as caught:
        check(request)
    return {each.field for each in caught.value.violations}


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"request_id": "7"}, {"request_id"}),
        ({"reservation_id": "rsv_7"}, {"reservation_id"}),
        ({"reservation_id": ord_("1")}, {"reservation_id"}),
        ({"reservation_id": rsv("2")}, {"reservation_id"}),
        ({"order_id": ""}, {"order_id"}),
        ({"lines": []}, {"lines"}),
        ({"lines": [rpc.ReserveLine(sku="a", quantity=1)] * 501}, {"lines"}),
        ({"lines": [rpc.ReserveLine(sku="", quantity=1)]}, {"lines[0].sku"}),
        ({"lines": [rpc.ReserveLine(sku="x" * 65, quantity=1)]}, {"lines[0].sku"}),
        ({"lines": [rpc.ReserveLine(sku="épinard", quantity=1)]}, {"lines[0].sku"}),
        ({"lines": [rpc.ReserveLine(sku="a\n", quantity=1)]}, {"lines[0].sku"}),
        ({"lines": [rpc.ReserveLine(sku="a", quantity=0)]}, {"lines[0].quantity"}),
        ({"lines": [rpc.ReserveLine(sku="a", quantity=-1)]}, {"lines[0].quantity"}),
        ({"lines": [rpc.ReserveLine(sku="a", quantity=1_000_001)]}, {"lines[0].quantity"}),
        ({"ttl": {"seconds": 0, "nanos": 999_999_999}}, {"ttl"}),
        ({"ttl": {"seconds": 3600, "nanos": 1}}, {"ttl"}),
        ({"ttl": {"seconds": -5}}, {"ttl"}),
        ({"order_deadline_time": {"seconds": 1 << 60}}, {"order_deadline_time"}),
        (
            {"expected_total": {"currency_code": "usd", "minor_units": -1}},
            {"expected_total.currency_code", "expected_total.minor_units"},
        ),
    ],
)
def test_a_bad_reserve_names_its_bad_fields(change: dict[str, object], fields: set[str]) -> None:
    """Each bad field of a reserve is named."""
    request = reserve("1", apple=1)
    for field, value in change.items():
        request.ClearField(field)
        request.MergeFrom(rpc.ReserveStockRequest(**{field: value}))  # type: ignore[arg-type]

    assert bad_fields(requests.reserve_stock, request) == fields


def test_the_bounds_themselves_are_good() -> None:
    """The largest accepted values: 500 lines, a million units, 64 characters, an hour."""
    request = reserve("1")
    request.ttl.seconds = 3600
    for number in range(500):
        request.lines.add(sku=f"{number:064}", quantity=1_000_000)

    command = requests.reserve_stock(request).command

    assert len(command.demands) == 500
    assert [each.sku for each in command.demands] == sorted(each.sku for each in command.demands)


def test_only_validating_needs_no_ids_and_no_ttl() -> None:
    """validate_only needs no ids and no ttl; lines and a given ttl are checked."""
    request = rpc.ReserveStockRequest(validate_only=True, lines=reserve("1", apple=1).lines)
    assert requests.validate_only(request).demands[0].sku == "apple"
    request.ttl.seconds = -1
    request.lines.add(sku="apple", quantity=0)
    assert bad_fields(requests.validate_only, request) == {"ttl", "lines[1].quantity"}


def test_a_bad_upsert_names_its_bad_fields() -> None:
    """Bad fields of an upsert are named by their item, a repeated SKU included."""
    request = rpc.UpsertItemsRequest(
        request_id=new_request_id(),
        items=[
            upsert("apple"),
            upsert("apple"),
            rpc.ItemUpsert(sku="pear", name="\x07", initial_on_hand_count=-1),
            upsert("fig", price_minor=-1, currency="QQQ"),
        ],
    )

    assert bad_fields(requests.upsert_items, request) == {
        "items[1].sku",
        "items[2].name",
        "items[2].unit_price",
        "items[2].initial_on_hand_count",
        "items[3].unit_price.currency_code",
        "items[3].unit_price.minor_units",
    }
    assert bad_fields(requests.upsert_items, rpc.UpsertItemsRequest()) == {"request_id", "items"}


@pytest.mark.parametrize(
    ("check", "request_", "fields"),
    [
        (
            requests.adjust_stock,
            rpc.AdjustStockRequest(),
            {"request_id", "sku", "delta", "reason"},
        ),
        (
            requests.commit_reservation,
            rpc.CommitReservationRequest(),
            {"request_id", "reservation_id"},
        ),
        (
            requests.fulfill_reservation,
            rpc.FulfillReservationRequest(),
            {"request_id", "reservation_id"},
        ),
        (
            requests.release_reservation,
            rpc.ReleaseReservationRequest(reason="x" * 501, reservation_id=rsv("1")),
            {"request_id", "order_id", "reason"},
        ),
        (queries.get_stock, rpc.GetStockRequest(), {"sku"}),
        (queries.batch_get_stock, rpc.BatchGetStockRequest(), {"skus"}),
        (queries.batch_get_stock, rpc.BatchGetStockRequest(skus=["a", "b c"]), {"skus[1]"}),
        (queries.batch_get_stock, rpc.BatchGetStockRequest(skus=["a"] * 501), {"skus"}),
        (queries.get_reservation, rpc.GetReservationRequest(), {"reservation_id"}),
        (queries.list_items, rpc.ListItemsRequest(page_size=-1), {"page_size"}),
        (queries.list_items, rpc.ListItemsRequest(query="a\n", skus=["b c"]), {"query", "skus[0]"}),
        (queries.list_items, rpc.ListItemsRequest(query="x" * 65), {"query"}),
        (queries.list_levels, rpc.ListStockRequest(page_token="?"), {"page_token"}),
        (
            queries.list_movements,
            rpc.ListStockMovementsRequest(sku=" ", reservation_id="x", page_size=-1),
            {"sku", "reservation_id", "page_size"},
        ),
        (
            queries.list_reservations,
            rpc.ListReservationsRequest(states=[0, 1, 99], order_id="x", page_token="?"),  # type: ignore[list-item]
            {"states[0]", "states[2]", "order_id", "page_token"},
        ),
    ],
)
def test_every_request_is_checked(
    check: Callable[[Message], object], request_: Message, fields: set[str]
) -> None:
    """All bad fields of every other request are named at once."""
    assert bad_fields(check, request_) == fields


@pytest.mark.parametrize(
    ("check", "request_"),
    [
        (queries.list_items, rpc.ListItemsRequest()),
        (queries.list_reservations, rpc.ListReservationsRequest()),
        (queries.list_movements, rpc.ListStockMovementsRequest()),
    ],
)
@pytest.mark.parametrize("key", [[], ["two words"], [-1], [1 << 64], [1, "é"], ["a", 1], [1, 2, 3]])
def test_a_forged_page_token_is_a_bad_field(
    check: Callable[[Message], object], request_: Message, key: list[str | int]
) -> None:
    """A page token whose key has the wrong form is refused."""
    forged = type(request_)()
    forged.CopyFrom(request_)
    forged.page_token = encode_token(key, arguments_of(request_))  # type: ignore[attr-defined]
    assert bad_fields(check, forged) == {"page_token"}


def test_a_page_token_belongs_to_its_list() -> None:
    """A page token of another list or of other filters is refused."""
    request = rpc.ListStockRequest(page_size=1)
    rows = [StockLevel(sku, 1, 0, 0, 1) for sku in ("apple", "pear")]
    token = queries.stock_page(request, queries.list_levels(request), rows).next_page_token

    assert (
        queries.list_levels(rpc.ListStockRequest(page_size=9, page_token=token)).after_sku
        == "apple"
    )
    assert bad_fields(queries.list_items, rpc.ListItemsRequest(page_token=token)) == {"page_token"}


def test_every_value_of_the_domain_has_its_name_in_the_contract() -> None:
    """The contract has all states, refusal reasons and movement kinds of the domain."""
    contract = [
        (ReservationState, reservation_pb2.ReservationState, "RESERVATION_STATE_"),
        (
            RefusalReason,
            reservation_pb2.ReservationRefusalReason,
            "RESERVATION_REFUSAL_REASON_",
        ),
        (MovementKind, item_pb2.StockMovementKind, "STOCK_MOVEMENT_KIND_"),
    ]
    for ours, theirs, prefix in contract:
        names = set(theirs.DESCRIPTOR.values_by_name) - {f"{prefix}UNSPECIFIED"}
        assert {f"{prefix}{value}" for value in ours} == names


@given(
    st.builds(
        Refusal,
        reason=st.sampled_from(RefusalReason),
        facts=st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3),
        shortages=st.lists(
            st.builds(
                Shortage,
                sku=st.text(max_size=9),
                requested=st.integers(1, 9),
                available=st.integers(0, 9),
            ),
            max_size=3,
        ).map(tuple),
    )
)
def test_a_stored_refusal_comes_back_as_it_was(refusal: Refusal) -> None:
    """A stored refusal is read as it was written."""
    stored = replies.to_refusal(refusal).SerializeToString()
    assert replies.from_refusal(reservation_pb2.ReservationRefusal.FromString(stored)) == refusal


def test_an_item_has_a_stream_of_its_own() -> None:
    """An item's stream is named after its SKU."""
    assert events.item_stream("apple") == "itm_apple"
