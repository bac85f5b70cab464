"""Records the declared metrics through OpenTelemetry. Only a measured process imports this module.

A value that needs a store or a call is sampled by a task, and shown until it is too old; then it is
absent, because a zero would say that all is well. Exporters read from threads of their own.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeAlias

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from discovery.telemetry.metrics import COUNT_BUCKETS, LATENCY_BUCKETS_S
from services.chassis.telemetry.declared_metrics import METRICS, Kind, Metric

Attributes: TypeAlias = Mapping[str, str]
# One number for each set of attributes.
Values: TypeAlias = Iterable[tuple[Attributes, float]]

# A sample that is older than this is not shown any more.
SAMPLE_AGE_MAX_S = 20.0
_SIZE_BUCKETS = (*COUNT_BUCKETS, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0)


class Metrics:
    """The metrics of one process. All methods may be called from any thread."""

    def __init__(self, meter: Meter, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._sources: dict[Metric, tuple[Callable[[], Values], ...]] = {}
        self._samples: dict[Metric, tuple[float, tuple[tuple[Attributes, float], ...]]] = {}
        self._counters = {
            each: meter.create_counter(each.name, each.unit, each.description)
            for each in _of(Kind.COUNTER)
        }
        self._histograms = {
            each: meter.create_histogram(
                each.name, each.unit, each.description, explicit_bucket_boundaries_advisory=buckets
            )
            for kind, buckets in ((Kind.DURATION, LATENCY_BUCKETS_S), (Kind.SIZE, _SIZE_BUCKETS))
            for each in _of(kind)
        }
        for each in _of(Kind.OBSERVED_COUNTER):
            meter.create_observable_counter(
                each.name, [partial(self._observed, each)], each.unit, each.description
            )
        for kind, read in ((Kind.OBSERVED, self._observed), (Kind.SAMPLED, self._sampled)):
            for each in _of(kind):
                meter.create_observable_gauge(
                    each.name, [partial(read, each)], each.unit, each.description
                )

    def count(self, metric: Metric, attributes: Attributes | None = None) -> None:
        """Count one of a COUNTER."""
        self._counters[metric].add(1, attributes)

    def record(self, metric: Metric, value: float, attributes: Attributes | None = None) -> None:
        """Record one DURATION or SIZE."""
        self._histograms[metric].record(value, attributes)

    def observe(self, metric: Metric, source: Callable[[], Values]) -> None:
        """Ask `source` whenever an OBSERVED metric is exported; it is called on other threads."""
        self._sources[metric] = (*self._sources.get(metric, ()), source)

    def show(self, metric: Metric, values: Values) -> None:
        """Show these values of a SAMPLED metric until the next ones, or until they are too old."""
        self._samples[metric] = (self._monotonic(), tuple(values))

    def hide(self, metric: Metric) -> None:
        """Show no values of a SAMPLED metric: they are not known now."""
        self._samples.pop(metric, None)

    def _observed(self, metric: Metric, _: CallbackOptions) -> Iterable[Observation]:
        for source in self._sources.get(metric, ()):
            for attributes, value in source():
                yield Observation(value, attributes)

    def _sampled(self, metric: Metric, _: CallbackOptions) -> Iterable[Observation]:
        taken_s, values = self._samples.get(metric, (0.0, ()))
        if self._monotonic() - taken_s <= SAMPLE_AGE_MAX_S:
            for attributes, value in values:
                yield Observation(value, attributes)


def _of(kind: Kind) -> Iterable[Metric]:
    return (each for each in METRICS if each.kind is kind)
