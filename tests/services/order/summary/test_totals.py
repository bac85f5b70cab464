"""The sums of the customer summary do not depend on the order of delivery or on repetitions."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, delete
from tradepost.event.v1.event_pb2 import Event

from services.chassis.consumer.inbox import Handler
from services.chassis.store.micros import to_micros
from services.chassis.store.unit.pipeline import NoPipelines
from services.chassis.store.unit.unit import unit_of_work
from services.order.summary.feed_consumers import (
    ORDER_TYPES,
    PAYMENT_TYPES,
    OrderSummarizer,
    PaymentSummarizer,
)
from services.order.summary.summary_store import SUMMARY
from services.order.summary.summary_tables import summary_tables
from services.order.summary.totals import Spend, Totals
from tests.support.order.summary_events import (
    NOON,
    captured,
    confirmed,
    placed,
    refund_begun,
    refunded,
    shipped,
)

CUSTOMERS = ("ann", "bob")
Seen = dict[str, tuple[Totals, tuple[Spend, ...]]]


@pytest.fixture(scope="module")
def database() -> Iterator[Connection]:
    """The tables, in a database in memory."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        summary_tables().orders.metadata.create_all(connection)
        yield connection
    engine.dispose()


@pytest.fixture
def connection(database: Connection) -> Connection:
    """A connection to an empty summary."""
    clear(database)
    return database


def clear(connection: Connection) -> None:
    """Delete all rows."""
    for table in summary_tables().all:
        connection.execute(delete(table))


def deliver(connection: Connection, *events: Event) -> None:
    """Apply events as the two subscriptions do."""
    handlers: dict[str, Handler] = dict.fromkeys(ORDER_TYPES, OrderSummarizer())
    handlers.update(dict.fromkeys(PAYMENT_TYPES, PaymentSummarizer()))
    with unit_of_work(connection, NoPipelines()) as unit:
        for event in events:
            handlers[event.type](connection, event)
        unit.flush()


def summary(connection: Connection) -> Seen:
    """Read the summaries of all customers."""
    return {
        customer: (SUMMARY.totals(connection, customer), SUMMARY.spend(connection, customer))
        for customer in CUSTOMERS
    }


def test_a_summary_counts_orders_and_money(connection: Connection) -> None:
    """It counts placed and kept orders, amounts by currency, and the newest order."""
    deliver(
        connection,
        placed("ord_1", after_s=1),
        confirmed("ord_1"),
        captured("ord_1", 500),
        placed("ord_2", after_s=3),
        placed("ord_3", after_s=2),
        confirmed("ord_3"),
        captured("ord_3", 70, "EUR"),
        refund_begun("ord_3"),
        refunded("ord_3", 30, "EUR", number=1),
        refunded("ord_3", 40, "EUR", number=2),
    )
    totals, spend = summary(connection)["ann"]
    assert (totals.order_count, totals.confirmed_count, totals.last_order_id) == (3, 1, "ord_2")
    assert spend == (Spend("EUR", 70, 70), Spend("USD", 500, 0))


def test_an_unknown_customer_has_zero_totals(connection: Connection) -> None:
    """A customer without orders has a summary of zeros."""
    assert summary(connection)["ann"] == (Totals("ann"), ())


def test_a_payment_may_arrive_before_its_order(connection: Connection) -> None:
    """The feeds are not ordered relative to each other: the amount waits for its customer."""
    deliver(connection, captured("ord_1", 500), refunded("ord_1", 200))
    assert summary(connection)["ann"] == (Totals("ann"), ())
    deliver(connection, placed("ord_1", after_s=1))
    totals, spend = summary(connection)["ann"]
    assert totals.order_count == 1
    assert spend == (Spend("USD", 500, 200),)


def test_an_order_refunded_as_it_was_confirmed_is_not_kept(connection: Connection) -> None:
    """A cancel during the capture brings both events at once, in either order."""
    deliver(connection, placed("ord_1"), refund_begun("ord_1"), confirmed("ord_1"))
    assert summary(connection)["ann"][0].confirmed_count == 0


def test_goods_that_have_left_end_a_refund(connection: Connection) -> None:
    """An order that is shipped although its refund had begun is kept."""
    refunding = (placed("ord_1"), confirmed("ord_1"), refund_begun("ord_1"))
    deliver(connection, *refunding, shipped("ord_1"))
    deliver(connection, *refunding, shipped("ord_1"))
    assert summary(connection)["ann"][0].confirmed_count == 1


@dataclass(frozen=True)
class DrawnOrder:
    """An order and its events, drawn by hypothesis."""

    customer: str
    at_s: int
    ends: str
    currency: str
    taken: int
    returned: list[int]


orders = st.builds(
    DrawnOrder,
    customer=st.sampled_from(CUSTOMERS),
    at_s=st.integers(0, 5),
    ends=st.sampled_from(["open", "confirmed", "refunded"]),
    currency=st.sampled_from(["USD", "EUR"]),
    taken=st.integers(1, 100),
    returned=st.lists(st.integers(1, 50), max_size=2),
)
# One of the two consumers reads on, or is rewound, by so many events.
moves = st.lists(
    st.tuples(st.sampled_from(["orders", "payments"]), st.integers(-6, 6)), max_size=12
)


def feeds_of(drawn: list[DrawnOrder]) -> dict[str, list[Event]]:
    """Make the two feeds with the events of these orders."""
    feeds: dict[str, list[Event]] = {"orders": [], "payments": []}
    for number, order in enumerate(drawn):
        order_id = f"ord_{number}"
        feeds["orders"].append(placed(order_id, order.customer, after_s=order.at_s))
        if order.ends == "open":
            continue
        feeds["orders"].append(confirmed(order_id))
        feeds["payments"].append(captured(order_id, order.taken, order.currency))
        if order.ends == "refunded":
            feeds["orders"].append(refund_begun(order_id))
            feeds["payments"] += [
                refunded(order_id, returned, order.currency, number=count)
                for count, returned in enumerate(order.returned)
            ]
    return feeds


def from_scratch(drawn: list[DrawnOrder], customer: str) -> tuple[Totals, tuple[Spend, ...]]:
    """Sum up the orders directly."""
    own = {f"ord_{number}": each for number, each in enumerate(drawn) if each.customer == customer}
    taken: Counter[str] = Counter()
    returned: Counter[str] = Counter()
    for order in own.values():
        taken[order.currency] += order.taken if order.ends != "open" else 0
        returned[order.currency] += sum(order.returned) if order.ends == "refunded" else 0
    spend = tuple(Spend(code, taken[code], returned[code]) for code in sorted(+taken))
    if not own:
        return Totals(customer), spend
    at_s, newest = max((order.at_s, order_id) for order_id, order in own.items())
    totals = Totals(
        customer,
        order_count=len(own),
        confirmed_count=sum(order.ends == "confirmed" for order in own.values()),
        last_order_id=newest,
        last_order_micros=to_micros(NOON + timedelta(seconds=at_s)),
    )
    return totals, spend


def test_a_sum_ends_at_the_largest_number(connection: Connection) -> None:
    """Amounts from before they had a limit park no event: their sum ends at 2^63 - 1."""
    largest = 2**63 - 1
    for order_id in ("ord_1", "ord_2"):
        deliver(connection, placed(order_id), captured(order_id, largest))

    assert SUMMARY.spend(connection, "ann") == (Spend("USD", largest, 0),)


@settings(max_examples=150, deadline=None)
@given(drawn=st.lists(orders, max_size=6), moved=moves)
def test_redelivery_ends_in_the_same_summary(
    database: Connection, drawn: list[DrawnOrder], moved: list[tuple[str, int]]
) -> None:
    """Any interleaving of the feeds, with any rewinds, ends in the same sums."""
    clear(database)
    feeds = feeds_of(drawn)
    position = dict.fromkeys(feeds, 0)
    for name, step in [*moved, ("payments", 100), ("orders", 100)]:
        reached = position[name]
        position[name] = min(max(0, reached + step), len(feeds[name]))
        deliver(database, *feeds[name][reached : position[name]])
    assert summary(database) == {customer: from_scratch(drawn, customer) for customer in CUSTOMERS}
