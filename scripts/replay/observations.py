"""What the callers saw of a replay, as it grows."""

from collections import Counter
from dataclasses import dataclass, field

import grpc

from scripts.replay.order_plan import PlannedOrder


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """What became of a visit. `latency_s` is from the first call to the settled answer."""

    visit: PlannedOrder
    order_id: str
    state: str
    reason: str
    latency_s: float


@dataclass(slots=True)
class Observations:
    """Receipts, and what should not have been.

    `failed_calls` counts calls that the channel gave up on, by method and status: every method of
    the suite is safe to repeat, so there should be none. `violations` says what no caller
    should ever see: two orders for one request, a refused good request, a read that goes back.
    `reads` counts what was looked at meanwhile, `resumed_watches` the streams that were cut.
    """

    outcomes: list[OrderOutcome] = field(default_factory=list)
    failed_calls: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    reads: Counter[str] = field(default_factory=Counter)
    resumed_watches: int = 0

    def count(self, method: str, code: grpc.StatusCode) -> None:
        """One call of `method` failed."""
        self.failed_calls[f"{method} {code.name}"] += 1
