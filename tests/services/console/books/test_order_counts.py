"""Counts of orders, folded from the events of the order feed."""

from datetime import UTC, datetime, timedelta

import pytest
from tradepost.event.v1.event_pb2 import Event

from services.console.books.order_counts import OrderCounts, percentile, series

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PAID = ("OrderPlaced", "StockReserved", "PaymentAuthorized", "CaptureRequested", "OrderConfirmed")
SHIPPED = (*PAID, "FulfillmentStarted", "OrderFulfilled")


def counted(*names: str, order_id: str = "ord_1") -> OrderCounts:
    """Counts after these events of one order, a second apart."""
    counts = OrderCounts()
    for second, name in enumerate(names):
        event = Event(type=f"tradepost.order.v1.{name}", aggregate_id=order_id)
        event.occur_time.FromDatetime(NOON + timedelta(seconds=second))
        counts.apply(event)
    return counts


@pytest.mark.parametrize(
    ("names", "state"),
    [
        (PAID[:1], "RESERVING"),
        (PAID[:4], "CAPTURING"),
        (PAID, "CONFIRMED"),
        (("OrderPlaced", "CancellationStarted", "OrderRejected"), "REJECTED"),
        ((*PAID, "RefundStarted", "OrderRefunded"), "REFUNDED"),
        ((*PAID, "FulfillmentStarted", "OrderFulfilled"), "FULFILLED"),
        ((*PAID, "FulfillmentStarted", "RefundStarted", "OrderFulfilled"), "FULFILLED"),
        ((*SHIPPED, "ReturnStarted", "ReturnStarted", "ReturnCompleted"), "RETURNING"),
        ((*SHIPPED, "ReturnStarted", "ReturnCompleted", "OrderReturned"), "RETURNED"),
    ],
)
def test_every_order_is_counted_in_one_state(names: tuple[str, ...], state: str) -> None:
    """Whatever happens to an order, it is in the state that its last event made, and no other."""
    counts = counted(*names)

    assert {each: number for each, number in counts.by_state.items() if number} == {state: 1}


def test_only_unsettled_orders_are_remembered() -> None:
    """Memory grows with what is under way, not with what ever happened."""
    assert counted(*PAID[:2]).unsettled == 1
    assert counted(*PAID).unsettled == 0


def test_events_that_change_no_state_change_no_count() -> None:
    """A review, for one, leaves the order where it is."""
    assert counted("OrderPlaced", "ReviewRequested", "StepRetried").by_state == {"RESERVING": 1}


def test_the_series_has_rates_and_latencies() -> None:
    """An order that settled after four seconds is in the bucket in which it settled."""
    shown = series(counted(*PAID), NOON + timedelta(seconds=10))

    assert sum(shown.placed_per_s) == pytest.approx(0.2)
    assert [each for each in shown.median_s if each is not None] == [4.0]
    assert len(shown.times_s) == len(shown.placed_per_s) == len(shown.p95_s)


def test_a_percentile_of_nothing_is_nothing() -> None:
    """A plot has a gap where nothing happened, not a zero."""
    assert percentile([], 0.95) is None
    assert percentile([1.0, 2.0, 3.0], 0.5) == 2.0
