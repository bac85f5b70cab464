"""Records the declared metrics through OpenTelemetry. Only a measured process imports this module.

A value that needs a store or a call is sampled by a task, and shown until it is too old; then it is
absent, because a zero would say that all is well. Exporters read from threads of their own.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeAlias

from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Meter, Observation

from discovery.telemetry.metrics import COUNT_BUCKETS, LATENCY_BUCKETS_S
from services.chassis.telemetry.declared_metrics import Kind, Metric, Values

Attributes: TypeAlias = Mapping[str, str]

# A sample that is older than this is not shown any more.
SAMPLE_AGE_MAX_S = 20.0
_SIZE_BUCKETS = (*COUNT_BUCKETS, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0)


class MetricRecorder:
    """The metrics of one process; an instrument is made when a metric is first used."""

    def __init__(self, meter: Meter, monotonic: Callable[[], float]) -> None:
        self._meter = meter
        self._monotonic = monotonic
        self._counters: dict[Metric, Counter] = {}
        self._histograms: dict[Metric, Histogram] = {}
        self._samples: dict[Metric, tuple[float, Values]] = {}

    def count(self, metric: Metric, attributes: Attributes | None = None) -> None:
        """Count one of a COUNTER."""
        counter = self._counters.get(metric)
        if counter is None:
            counter = self._meter.create_counter(metric.name, metric.unit, metric.description)
            self._counters[metric] = counter
        counter.add(1, attributes)

    def record(self, metric: Metric, value: float, attributes: Attributes | None = None) -> None:
        """Record one DURATION or SIZE."""
        histogram = self._histograms.get(metric)
        if histogram is None:
            histogram = self._histograms[metric] = self._meter.create_histogram(
                metric.name,
                metric.unit,
                metric.description,
                explicit_bucket_boundaries_advisory=(
                    LATENCY_BUCKETS_S if metric.kind is Kind.DURATION else _SIZE_BUCKETS
                ),
            )
        histogram.record(value, attributes)

    def observe(self, metric: Metric, source: Callable[[], Values]) -> None:
        """Ask `source` whenever an OBSERVED metric is exported; it is called on other threads."""

        def observations(_: CallbackOptions) -> Iterable[Observation]:
            return _observations(metric, source())

        is_counter = metric.kind is Kind.OBSERVED_COUNTER
        meter = self._meter
        create = meter.create_observable_counter if is_counter else meter.create_observable_gauge
        create(metric.name, [observations], metric.unit, metric.description)

    def show(self, metric: Metric, values: Values) -> None:
        """Show these values of a SAMPLED metric until the next ones, or until they are too old."""
        is_new = metric not in self._samples
        self._samples[metric] = (self._monotonic(), values)
        if is_new:
            self.observe(metric, partial(self._sampled, metric))

    def hide(self, metric: Metric) -> None:
        """Show no values of a SAMPLED metric: they are not known now."""
        if metric in self._samples:
            self._samples[metric] = (self._monotonic(), {})

    def _sampled(self, metric: Metric) -> Values:
        taken_s, values = self._samples[metric]
        return values if self._monotonic() - taken_s <= SAMPLE_AGE_MAX_S else {}


def _observations(metric: Metric, values: Values) -> Iterable[Observation]:
    for named, value in values.items():
        yield Observation(value, dict(zip(metric.attributes, named, strict=True)))
