"""What a channel knows about one method, found once and used by every call of it."""

from dataclasses import dataclass, field
from enum import StrEnum

from discovery.rules.hedging_policy import HedgingPolicy
from discovery.rules.method_latency import Latencies
from discovery.rules.outcome_window import Outcomes
from discovery.rules.retry_policy import RetryPolicy


class Kind(StrEnum):
    """The four kinds of call, named as the factories of a channel."""

    UNARY_UNARY = "unary_unary"
    UNARY_STREAM = "unary_stream"
    STREAM_UNARY = "stream_unary"
    STREAM_STREAM = "stream_stream"


CLIENT_STREAMS = frozenset({Kind.STREAM_UNARY, Kind.STREAM_STREAM})


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """One method: its contract, its part of the service config, what was measured of it.

    `timeout_s` bounds what a caller asks for, `default_timeout_s` is for those who ask for
    nothing. `waits`: the answer takes as long as something else, so its latency says nothing.
    """

    path: str
    kind: Kind
    registered: bool
    safe: bool
    retry: RetryPolicy
    timeout_s: float | None
    default_timeout_s: float | None
    wait_for_ready: bool
    waits: bool
    hedging: HedgingPolicy | None = None
    latencies: Latencies = field(default_factory=Latencies)
    outcomes: Outcomes = field(default_factory=Outcomes)

    @property
    def prompt(self) -> bool:
        """An attempt waits for nothing but the instance, whose silence it tells."""
        return self.kind is Kind.UNARY_UNARY and not self.waits
