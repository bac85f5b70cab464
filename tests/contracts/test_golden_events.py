"""Stored events stay readable: the bytes of every event, as each version of the code wrote them.

The bytes are in `golden_events`, a file for each service, in the order of `event_examples`. When an
event gains a field, its new bytes are added after the old ones; no bytes are ever changed. The
bytes of order events, from which every order is loaded, are in
tests/services/order/wire/test_wire.py.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from sqlalchemy import create_engine
from tradepost.event.v1.event_pb2 import Event

from services.chassis.domain.money import Money
from services.chassis.store.unit.pipeline import NoPipelines
from services.chassis.store.unit.unit import unit_of_work
from services.order.domain import events
from services.order.domain.rules import evolve as evolve_order
from services.order.domain.state import Order, OrderState
from services.order.summary.feed_consumers import PAYMENT_TYPES, PaymentSummarizer
from services.order.summary.summary_store import SUMMARY
from services.order.summary.summary_tables import summary_tables
from services.order.summary.totals import CountedOrder, Placed, Spend, evolve
from services.order.wire.events import from_stored, type_of
from tests.services.order.wire.test_wire import stored as as_stored
from tests.support.contracts.event_examples import as_encoded_today, events_of_the_contract
from tests.support.order.golden_events import GOLDEN as GOLDEN_ORDER
from tests.support.order.golden_events import NOON

_FILES = sorted(Path(__file__).with_name("golden_events").glob("*.json"))
_CONTRACT = events_of_the_contract()
# For each service, its examples: the type of each, and its bytes in hex, the oldest first.
GOLDEN: dict[str, list[tuple[str, list[str]]]] = {
    file.stem: json.loads(file.read_text()) for file in _FILES
}


def stored() -> Iterator[tuple[str, str, bytes]]:
    """Yield service, type and payload of every version of every example."""
    for service, examples in GOLDEN.items():
        for name, versions in examples:
            for version in versions:
                yield service, name, bytes.fromhex(version)


def parsed(name: str, payload: bytes) -> Message:
    """Parse the payload of an event of that type."""
    return _CONTRACT[name].FromString(payload)


def test_every_event_of_the_contract_has_golden_bytes() -> None:
    """Every event of the contract has an example and the bytes of its first version."""
    known = {name for _, name, _ in stored()} | {type_of(type(event)) for event, _ in GOLDEN_ORDER}
    assert known == set(_CONTRACT)


@pytest.mark.parametrize("service", GOLDEN)
def test_events_are_encoded_as_their_newest_golden_bytes(service: str) -> None:
    """The newest bytes of each example have the same fields as its encoding by today's code."""
    today = as_encoded_today()[service]
    assert [new.type for new in today] == [name for name, _ in GOLDEN[service]]
    for new, (name, versions) in zip(today, GOLDEN[service], strict=True):
        assert parsed(name, new.payload) == parsed(name, bytes.fromhex(versions[-1]))


@pytest.mark.parametrize(("name", "payload"), [each[1:] for each in stored()])
def test_no_field_of_a_stored_event_is_lost(name: str, payload: bytes) -> None:
    """The contract still has every stored field, with its number and type."""
    message = parsed(name, payload)
    assert not len(UnknownFieldSet(message))  # type: ignore[no-untyped-call]
    assert parsed(name, message.SerializeToString()) == message


def test_a_summary_counts_stored_payments_of_every_version() -> None:
    """A summary that is rebuilt from events of every version counts each payment once."""
    counted: Counter[str] = Counter()
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        summary_tables().orders.metadata.create_all(connection)
        placed = evolve(CountedOrder("ord_1"), Placed("ann", 0))
        apply = PaymentSummarizer()
        with unit_of_work(connection, NoPipelines()) as unit:
            SUMMARY.update(connection, CountedOrder("ord_1"), placed)
            for _, name, payload in stored():
                if name in PAYMENT_TYPES:
                    apply(connection, Event(type=name, payload=Any(value=payload)))
                    counted[name] += 1
            unit.flush()
        assert set(counted) == set(PAYMENT_TYPES)
        assert SUMMARY.spend(connection, "ann") == (Spend("USD", 500, 200),)
    engine.dispose()


def test_an_order_is_rebuilt_from_its_golden_bytes() -> None:
    """An order is loaded from the bytes that the first version of each event wrote."""
    golden = {type(event): bytes.fromhex(written) for event, written in GOLDEN_ORDER}
    order = Order("ord_1")
    for kind in (
        events.OrderPlaced,
        events.StockReserved,
        events.PaymentAuthorized,
        events.CaptureRequested,
        events.OrderConfirmed,
        events.RefundStarted,
        events.OrderRefunded,
    ):
        order = evolve_order(order, from_stored(as_stored(type_of(kind), golden[kind])), NOON)
    assert (order.state, order.customer_id, order.version) == (OrderState.REFUNDED, "ann", 7)
    assert order.total == Money("USD", 200)
