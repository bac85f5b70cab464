"""The metrics of calls, with the names, units and buckets of gRFC A66 and A96.

| instrument                     | of each | attributes                             |
|--------------------------------|---------|----------------------------------------|
| `grpc.client.call.duration`    | call    | grpc.method, grpc.target, grpc.status  |
| `grpc.client.attempt.started`  | attempt | grpc.method, grpc.target               |
| `grpc.client.attempt.duration` | attempt | grpc.method, grpc.target, grpc.status  |
| `grpc.client.call.retries`     | call that was retried | grpc.method, grpc.target |
| `grpc.client.call.hedges`      | call that was hedged  | grpc.method, grpc.target |
| `grpc.client.call.retry_delay` | call that was retried | grpc.method, grpc.target |

A66's message sizes are missing: they are sizes after compression, which grpc.aio doesn't report.
"""

from dataclasses import dataclass, field

import grpc
from opentelemetry.metrics import Counter, Histogram, Meter

from discovery.rules.method import Method

# A path that no generated stub named may be any text, so it must not become a time series.
_UNREGISTERED = "other"
LATENCY_BUCKETS_S = (
    *(0.0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008),
    *(0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008),
    *(0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08),
    *(0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8),
    *(1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0),
)
COUNT_BUCKETS = (1.0, 2.0, 3.0, 4.0, 5.0)


@dataclass(frozen=True, slots=True)
class Instruments:
    """The instruments of one meter."""

    attempt_started: Counter
    attempt_duration: Histogram
    call_duration: Histogram
    retries: Histogram
    hedges: Histogram
    retry_delay: Histogram

    @classmethod
    def of(cls, meter: Meter) -> "Instruments":
        """Create the instruments."""

        def latency(name: str, description: str) -> Histogram:
            return meter.create_histogram(
                name, "s", description, explicit_bucket_boundaries_advisory=LATENCY_BUCKETS_S
            )

        def count(name: str, unit: str, description: str) -> Histogram:
            return meter.create_histogram(
                name, unit, description, explicit_bucket_boundaries_advisory=COUNT_BUCKETS
            )

        return cls(
            meter.create_counter("grpc.client.attempt.started", "{attempt}", "Attempts begun."),
            latency("grpc.client.attempt.duration", "From the pick to the attempt's end."),
            latency("grpc.client.call.duration", "From the call to its end, attempts and waits."),
            count("grpc.client.call.retries", "{retry}", "Retries of a call that had any."),
            count("grpc.client.call.hedges", "{hedge}", "Hedges of a call that had any."),
            latency("grpc.client.call.retry_delay", "Time of a call without an active attempt."),
        )


@dataclass(frozen=True, slots=True)
class MethodMetrics:
    """Records the metrics of one method of one channel."""

    instruments: Instruments
    attributes: dict[str, str]
    _by_code: dict[grpc.StatusCode, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, instruments: Instruments, method: Method, target: str) -> "MethodMetrics":
        """Record with the attributes of this method and target."""
        name = method.path.lstrip("/") if method.registered else _UNREGISTERED
        return cls(instruments, {"grpc.method": name, "grpc.target": target})

    def attempt_began(self) -> None:
        self.instruments.attempt_started.add(1, self.attributes)

    def attempt_ended(self, duration_s: float, code: grpc.StatusCode) -> None:
        self.instruments.attempt_duration.record(duration_s, self._of_code(code))

    def call_ended(self, duration_s: float, code: grpc.StatusCode) -> None:
        self.instruments.call_duration.record(duration_s, self._of_code(code))

    def call_repeated(self, *, retries: int, hedges: int, retry_delay_s: float) -> None:
        if retries:
            self.instruments.retries.record(retries, self.attributes)
            self.instruments.retry_delay.record(retry_delay_s, self.attributes)
        if hedges:
            self.instruments.hedges.record(hedges, self.attributes)

    def _of_code(self, code: grpc.StatusCode) -> dict[str, str]:
        known = self._by_code.get(code)
        if known is None:
            known = self._by_code[code] = {**self.attributes, "grpc.status": code.name}
        return known
