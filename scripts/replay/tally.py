"""What the callers saw of a replay, as it grows."""

from collections import Counter
from dataclasses import dataclass, field

import grpc

from scripts.replay.shoppers import Visit


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a visit. `latency_s` is from the first call to the settled answer."""

    visit: Visit
    order_id: str
    state: str
    reason: str
    latency_s: float


@dataclass(slots=True)
class Tally:
    """Receipts, and what should not have been.

    `failed_calls` counts calls that the channel gave up on, by method and status: every method of
    the suite is safe to repeat, so there should be none. `broken_promises` says what no caller
    should ever see: two orders for one request, a refused good request, a read that goes back.
    `reads` counts what was looked at meanwhile, `resumed_watches` the streams that were cut.
    """

    receipts: list[Receipt] = field(default_factory=list)
    failed_calls: Counter[str] = field(default_factory=Counter)
    broken_promises: list[str] = field(default_factory=list)
    reads: Counter[str] = field(default_factory=Counter)
    resumed_watches: int = 0

    def count(self, method: str, code: grpc.StatusCode) -> None:
        """One call of `method` failed."""
        self.failed_calls[f"{method} {code.name}"] += 1
