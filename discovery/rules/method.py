"""What a channel knows about one method: read once, used by every call of the method."""

from dataclasses import dataclass, field
from enum import StrEnum

import grpc

from discovery.rules.failure_codes import OVERLOAD
from discovery.rules.hedging_policy import HedgingPolicy
from discovery.rules.method_latency import Latencies
from discovery.rules.outcome_window import Outcomes
from discovery.rules.retry_policy import RetryPolicy


class Kind(StrEnum):
    """The four kinds of call, named like the methods of a channel that make them."""

    UNARY_UNARY = "unary_unary"
    UNARY_STREAM = "unary_stream"
    STREAM_UNARY = "stream_unary"
    STREAM_STREAM = "stream_stream"


CLIENT_STREAMS = frozenset({Kind.STREAM_UNARY, Kind.STREAM_STREAM})


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """One method: its contract, its part of the service config, and what was measured.

    - `path`: "/package.Service/Method". `registered`: a generated stub named the method.
    - `safe`: the contract allows sending it twice (`discovery.rules.contract`).
    - `timeout_s` limits a timeout that the caller gives; `default_timeout_s` applies if it gives
      none.
    - `waits`: the answer takes as long as something other than the instance, so its latency says
      nothing about the instance.
    - `breaker_codes`: the codes that count as failures of the method, for its breaker.
    - `latencies`, `outcomes`: measurements of the last 10 s.
    - `unserved`: the instances that don't know the method, and until when that is believed
      (`discovery.balancing.unserved`).
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
    breaker_codes: frozenset[grpc.StatusCode] = OVERLOAD
    latencies: Latencies = field(default_factory=Latencies)
    outcomes: Outcomes = field(default_factory=Outcomes)
    unserved: dict[object, float] = field(default_factory=dict)

    @property
    def prompt(self) -> bool:
        """Whether an attempt waits for the instance alone, so that its elapsed time is latency."""
        return self.kind is Kind.UNARY_UNARY and not self.waits
