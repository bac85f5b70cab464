"""Requests become commands, orders become messages, and stored bytes are read for ever."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradepost.order.v1 import order_event_pb2, order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc

from services.chassis.log.event_log import StoredEvent
from services.chassis.request.errors import InvalidRequestError
from services.chassis.request.wire_values import (
    from_duration,
    from_timestamp,
    to_duration,
    to_timestamp,
)
from services.chassis.saga.model import step_id
from services.order.domain import events
from services.order.domain.events import (
    Cause,
    Coordination,
    Event,
    Line,
    RefusalReason,
)
from services.order.domain.rules import evolve
from services.order.domain.state import Order, OrderState, ReturnState
from services.order.domain.steps import AUTHORIZE, CAPTURE, COMMIT, RESERVE
from services.order.wire import requests
from services.order.wire.events import from_stored, to_new_event, type_of
from services.order.wire.replies import to_order
from tests.support.order.golden_events import GOLDEN, NOON
from tests.support.order.order_service import new_request_id


@pytest.mark.parametrize(
    ("ours", "theirs", "prefix", "other_names"),
    [
        (ReturnState, order_pb2.OrderReturnState, "ORDER_RETURN_STATE_", {}),
        (OrderState, order_pb2.OrderState, "ORDER_STATE_", {"UNPLACED": "UNSPECIFIED"}),
        (Coordination, order_pb2.Coordination, "COORDINATION_", {}),
        (Cause, order_pb2.OrderCause, "ORDER_CAUSE_", {"NONE": "UNSPECIFIED"}),
        (RefusalReason, order_pb2.OrderRefusalReason, "ORDER_REFUSAL_REASON_", {}),
    ],
)
def test_the_enums_are_those_of_the_contract(
    ours: type[OrderState], theirs: object, prefix: str, other_names: dict[str, str]
) -> None:
    """The enums have the names and numbers of the contract, and none is missing."""
    named = {f"{prefix}{other_names.get(each.name, each.name)}": int(each) for each in ours}
    contract = dict(theirs.items())  # type: ignore[attr-defined]
    if 0 not in named.values():
        contract = {name: number for name, number in contract.items() if number}
    assert named == contract


def test_every_event_has_a_message_of_its_name() -> None:
    """Every event has a message, and every event message of the contract has an event."""
    names = {type_of(kind) for kind in get_args(Event)}
    messages = order_event_pb2.DESCRIPTOR.message_types_by_name.values()
    assert names == {each.full_name for each in messages} - {
        "tradepost.order.v1.PlacedLine",
        "tradepost.order.v1.CheckoutStepIds",
    }


@given(micros=st.integers(min_value=-(10**15), max_value=10**16))
def test_instants_and_spans_keep_their_microseconds(micros: int) -> None:
    """No conversion goes through a float."""
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    assert from_timestamp(to_timestamp(instant)) == instant
    span = timedelta(microseconds=abs(micros))
    assert from_duration(to_duration(span)) == span


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(min_value=1, max_value=1_000_000)),
        min_size=1,
        max_size=20,
    )
)
def test_lines_of_one_sku_are_summed(lines: list[tuple[str, int]]) -> None:
    """There is one line for each item, sorted, and equal orders have equal fingerprints."""
    request = rpc.CreateOrderRequest(
        request_id=new_request_id(),
        customer_id="ann",
        payment_method="pm_visa",
        lines=[rpc.CreateOrderLine(sku=sku, quantity=quantity) for sku, quantity in lines],
    )
    intention = requests.create_order(request)
    ordered = intention.command.lines
    assert [line.sku for line in ordered] == sorted({sku for sku, _ in lines})
    assert sum(line.quantity for line in ordered) == sum(quantity for _, quantity in lines)
    del request.lines[:]
    request.lines.extend(
        rpc.CreateOrderLine(sku=sku, quantity=quantity) for sku, quantity in reversed(lines)
    )
    request.request_id = new_request_id()
    again = requests.create_order(request)
    assert again.fingerprint == intention.fingerprint


@given(
    st.text(max_size=70).filter(
        lambda sku: not (0 < len(sku) <= 64 and all("!" <= each <= "~" for each in sku))
    )
)
def test_a_sku_is_1_to_64_visible_characters(sku: str) -> None:
    """Spaces, control characters and other invisible characters are refused."""
    request = rpc.CreateOrderRequest(
        request_id=new_request_id(),
        customer_id="ann",
        payment_method="pm_visa",
        lines=[rpc.CreateOrderLine(sku=sku, quantity=1)],
    )
    with pytest.raises(InvalidRequestError) as refused:
        requests.create_order(request)
    assert [each.field for each in refused.value.violations] == ["lines[0].sku"]


def test_an_order_that_is_not_priced_yet_shows_no_price() -> None:
    """Prices are unset until the stock is reserved, and not zero."""
    placed = events.OrderPlaced(
        "ann",
        (Line("milk", 2),),
        "pm_visa",
        None,
        Coordination.ORCHESTRATED,
        NOON + timedelta(seconds=30),
        timedelta(seconds=120),
        timedelta(days=7),
    )
    message = to_order(evolve(Order("ord_1"), placed, NOON))
    assert not message.HasField("total")
    assert not message.lines[0].HasField("unit_price")
    assert not message.HasField("refusal")
    assert (message.reservation_id, message.payment_id) == ("rsv_1", "")


def stored(type_name: str, payload: bytes) -> StoredEvent:
    """Make an event as the log returns it."""
    return StoredEvent(1, "evt_1", "ord_1", 1, type_name, payload, NOON, "", "", "")


@pytest.mark.parametrize(("event", "golden"), GOLDEN, ids=lambda each: type(each).__name__)
def test_golden_bytes_mean_the_same_for_ever(event: Event, golden: str) -> None:
    """This version reads the bytes of the first version, and writes the same bytes."""
    assert from_stored(stored(type_of(type(event)), bytes.fromhex(golden))) == event
    written = to_new_event(event, "ord_1").payload.hex()
    if isinstance(event, events.CaptureRequested):
        # The first version did not store the step id of the capture.
        golden += (b"\x1a$" + step_id("ord_1", "capture", 1).encode()).hex()
    assert written == golden


def test_a_choreographed_order_carries_the_ids_of_its_steps() -> None:
    """The participants find the request ids with which the saga would call them."""
    placed = events.OrderPlaced(
        "ann",
        (Line("milk", 2),),
        "pm_visa",
        None,
        Coordination.CHOREOGRAPHED,
        NOON + timedelta(seconds=30),
        timedelta(seconds=120),
        timedelta(days=7),
    )
    first = order_event_pb2.OrderPlaced.FromString(to_new_event(placed, "ord_1").payload)
    assert first.step_ids == order_event_pb2.CheckoutStepIds(
        reserve_request_id=step_id("ord_1", RESERVE, 1),
        authorize_request_id=step_id("ord_1", AUTHORIZE, 1),
        commit_request_id=step_id("ord_1", COMMIT, 1),
    )
    capture = events.CaptureRequested("pay_1", Coordination.CHOREOGRAPHED)
    pivot = order_event_pb2.CaptureRequested.FromString(to_new_event(capture, "ord_1").payload)
    assert pivot.capture_request_id == step_id("ord_1", CAPTURE, 1)


def test_an_orchestrated_order_carries_no_step_ids() -> None:
    """Its participants get the request id with each call."""
    called = events.CaptureRequested("pay_1", Coordination.ORCHESTRATED)
    pivot = order_event_pb2.CaptureRequested.FromString(to_new_event(called, "ord_1").payload)
    assert pivot.capture_request_id == ""
    placed, _ = GOLDEN[0]
    first = order_event_pb2.OrderPlaced.FromString(to_new_event(placed, "ord_1").payload)
    assert not first.HasField("step_ids")


def test_the_oldest_captures_are_orchestrated() -> None:
    """The first version stored no coordination with CaptureRequested."""
    first = from_stored(stored(type_of(events.CaptureRequested), b""))
    assert first == events.CaptureRequested("", Coordination.ORCHESTRATED)


def test_every_event_has_golden_bytes() -> None:
    """A new event needs golden bytes."""
    assert {type(event) for event, _ in GOLDEN} == set(get_args(Event))
