"""How many orders are in which state, how many come and settle, and how long that takes.

A fold over the order feed. Only orders that aren't settled are remembered: an event of a settled
one tells by its type which state it was in.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tradepost.event.v1.event_pb2 import Event

from services.console.wire.texts import instant

# What is shown of the past.
WINDOW = timedelta(minutes=10)
BUCKET_S = 5
# Of one window: at 1,000 orders a second, samples of the last minute.
MOST_SAMPLES = 60_000

# The state that an event makes.
_STATES: Mapping[str, str] = {
    "OrderPlaced": "RESERVING",
    "StockReserved": "AUTHORIZING",
    "PaymentAuthorized": "COMMITTING",
    "CaptureRequested": "CAPTURING",
    "OrderConfirmed": "CONFIRMED",
    "CancellationStarted": "CANCELLING",
    "OrderRejected": "REJECTED",
    "OrderCancelled": "CANCELLED",
    "FulfillmentStarted": "FULFILLING",
    "OrderFulfilled": "FULFILLED",
    "RefundStarted": "REFUNDING",
    "OrderRefunded": "REFUNDED",
    "ReturnStarted": "RETURNING",
    "OrderReturned": "RETURNED",
}
# The settled state in which an order was before an event that moves it on.
_SETTLED_BEFORE: Mapping[str, str] = {
    "FulfillmentStarted": "CONFIRMED",
    "RefundStarted": "CONFIRMED",
    "ReturnStarted": "FULFILLED",
    "OrderReturned": "FULFILLED",
}
SETTLED = frozenset(["CONFIRMED", "FULFILLED", "REJECTED", "CANCELLED", "REFUNDED", "RETURNED"])


@dataclass(slots=True)
class _UnsettledOrder:
    state: str
    placed: datetime | None
    open_returns: int = 0


@dataclass(slots=True)
class OrderCounts:
    """Counts of all orders by state; times of those that were placed and settled in the window."""

    by_state: Counter[str] = field(default_factory=Counter)
    placed: deque[datetime] = field(default_factory=lambda: deque(maxlen=MOST_SAMPLES))
    settled: deque[tuple[datetime, float]] = field(
        default_factory=lambda: deque(maxlen=MOST_SAMPLES)
    )
    _unsettled: dict[str, _UnsettledOrder] = field(default_factory=dict)

    @property
    def unsettled(self) -> int:
        """How many orders have something under way."""
        return len(self._unsettled)

    def apply(self, event: Event) -> None:
        """Take the next event of the order feed."""
        name, order_id = event.type.rpartition(".")[2], event.aggregate_id
        state = self._state_after(name, order_id)
        if state is None:
            return
        moment = instant(event.occur_time)
        known = self._unsettled.get(order_id)
        before = known.state if known else _SETTLED_BEFORE.get(name)
        if before is not None:
            self.by_state[before] -= 1
        self.by_state[state] += 1
        if name == "OrderPlaced":
            self.placed.append(moment)
        if state in SETTLED:
            self._settle(order_id, moment)
        elif known is None:
            placed = moment if name == "OrderPlaced" else None
            open_returns = 1 if name == "ReturnStarted" else 0
            self._unsettled[order_id] = _UnsettledOrder(state, placed, open_returns)
        else:
            known.state = state

    def _state_after(self, name: str, order_id: str) -> str | None:
        """The state that the event makes; None if it leaves the order in its state."""
        known = self._unsettled.get(order_id)
        if known is not None and name == "ReturnStarted":
            known.open_returns += 1
        if name != "ReturnCompleted":
            return _STATES.get(name)
        if known is None:
            return None
        known.open_returns -= 1
        return None if known.open_returns > 0 else "FULFILLED"

    def _settle(self, order_id: str, moment: datetime) -> None:
        ended = self._unsettled.pop(order_id, None)
        if ended is not None and ended.placed is not None:
            self.settled.append((moment, (moment - ended.placed).total_seconds()))


@dataclass(frozen=True, slots=True)
class Series:
    """What a plot shows: one value for each bucket of `BUCKET_S`; None where nothing happened."""

    times_s: tuple[int, ...]
    placed_per_s: tuple[float, ...]
    settled_per_s: tuple[float, ...]
    median_s: tuple[float | None, ...]
    p95_s: tuple[float | None, ...]


def series(counts: OrderCounts, now: datetime) -> Series:
    """The window up to now, bucket by bucket."""
    last = int(now.timestamp()) // BUCKET_S
    first = last - int(WINDOW.total_seconds()) // BUCKET_S
    placed = Counter(int(each.timestamp()) // BUCKET_S for each in counts.placed)
    settled: dict[int, list[float]] = {}
    for moment, took_s in counts.settled:
        settled.setdefault(int(moment.timestamp()) // BUCKET_S, []).append(took_s)
    buckets = range(first, last)
    return Series(
        times_s=tuple(each * BUCKET_S for each in buckets),
        placed_per_s=tuple(placed[each] / BUCKET_S for each in buckets),
        settled_per_s=tuple(len(settled.get(each, ())) / BUCKET_S for each in buckets),
        median_s=tuple(percentile(settled.get(each, ()), 0.5) for each in buckets),
        p95_s=tuple(percentile(settled.get(each, ()), 0.95) for each in buckets),
    )


def percentile(values: "list[float] | tuple[float, ...]", share: float) -> float | None:
    """The value below which this share of the values lies; None of no values."""
    if not values:
        return None
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
