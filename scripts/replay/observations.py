"""What the callers of a replay observe: outcomes of orders, failed calls, violated guarantees."""

from collections import Counter
from dataclasses import dataclass, field

import grpc

from scripts.replay.order_plan import PlannedOrder


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """The final state of an order. `latency_s` is from the first call to the settled answer."""

    planned: PlannedOrder
    order_id: str
    state: str
    reason: str
    latency_s: float


@dataclass(slots=True)
class Observations:
    """The observations so far; they grow during a replay.

    `failed_calls` counts the calls that failed in spite of retries, by method and status; every
    method of the suite is safe to repeat, so there should be none. `first_details` has the details
    of the first failure of each of these. `violations` describes what no caller should ever see:
    two orders for one request, a good request refused, a read that returns an older version.
    `reads` counts reads by method, `resumed_watches` the streams that were cut, and
    `repeated_at_edge` the requests by method that nobody answered, because no edge was there.
    """

    outcomes: list[OrderOutcome] = field(default_factory=list)
    failed_calls: Counter[str] = field(default_factory=Counter)
    first_details: dict[str, str] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    reads: Counter[str] = field(default_factory=Counter)
    resumed_watches: int = 0
    repeated_at_edge: Counter[str] = field(default_factory=Counter)

    def count_failure(self, method: str, error: grpc.aio.AioRpcError) -> None:
        """Count one failed call of `method`."""
        call = f"{method} {error.code().name}"
        self.failed_calls[call] += 1
        self.first_details.setdefault(call, error.details() or "")
