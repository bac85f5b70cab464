"""OpenTelemetry's providers of tracers and meters. Only a traced process imports this module."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
from opentelemetry import trace
from opentelemetry.instrumentation.grpc import aio_server_interceptor, filters
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from services.chassis.telemetry import exporters
from services.chassis.telemetry.errors import MetricsAddressError
from services.chassis.telemetry.redacting_exporter import RedactingExporter
from services.chassis.telemetry.settings import ProcessIdentity, TelemetrySettings
from services.chassis.telemetry.trace_context import traceparent_of

if TYPE_CHECKING:
    from services.chassis.telemetry.prometheus import PrometheusEndpoint


@dataclass(frozen=True, slots=True)
class Providers:
    """Providers of tracers and meters, which export from threads of their own.

    Either is None where its signal is not exported.
    """

    tracers: TracerProvider | None
    meters: MeterProvider | None
    _exporters: tuple[SpanExporter | MetricExporter, ...]
    _endpoint: "PrometheusEndpoint | None" = None

    def shut_down(self) -> None:
        """Send the rest; blocks for as long as the exporters try."""
        if self._endpoint is not None:
            self._endpoint.close()
        if self.tracers is not None:
            self.tracers.shutdown()
        if self.meters is not None:
            self.meters.shutdown()

    def drop_rest(self) -> None:
        """Drop the rest; a `shut_down` that blocks returns."""
        for exporter in self._exporters:
            exporter.shutdown()


def providers_of(process: ProcessIdentity, settings: TelemetrySettings) -> Providers:
    """Export spans in batches, metrics every minute (OTEL_METRIC_EXPORT_INTERVAL) or when asked.

    Raises MetricsAddressError.
    """
    resource = _resource(process)
    tracers: TracerProvider | None = None
    readers: list[MetricReader] = []
    used: list[SpanExporter | MetricExporter] = []
    endpoint = _prometheus(settings)
    if endpoint is not None:
        readers.append(endpoint.reader)
    if settings.traces_target is not None:
        spans = exporters.span_exporter(settings.traces_target)
        used.append(spans)
        tracers = TracerProvider(resource=resource)
        tracers.add_span_processor(
            BatchSpanProcessor(
                RedactingExporter(spans),
                max_queue_size=settings.max_waiting_spans,
                max_export_batch_size=settings.max_export_batch_size,
                schedule_delay_millis=settings.schedule_delay_ms,
            )
        )
    if settings.metrics_target is not None:
        metrics = exporters.metric_exporter(settings.metrics_target)
        used.append(metrics)
        readers.append(PeriodicExportingMetricReader(metrics))
    meters = MeterProvider(readers, resource=resource) if readers else None
    return Providers(tracers, meters, tuple(used), endpoint)


def _prometheus(settings: TelemetrySettings) -> "PrometheusEndpoint | None":
    if not settings.prometheus_port:
        return None
    # This import costs megabytes, which a process without the port saves.
    from services.chassis.telemetry import prometheus  # noqa: PLC0415

    try:
        return prometheus.serve(settings.metrics_host, settings.prometheus_port)
    except OSError as error:
        raise MetricsAddressError from error


def _resource(process: ProcessIdentity) -> Resource:
    """The process's attributes; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come before them."""
    own = {
        "service.namespace": "tradepost",
        "service.name": process.service_name,
        "service.version": process.version,
        "service.instance.id": process.instance_id,
    }
    return Resource.create(own).merge(OTELResourceDetector().detect())


def server_interceptor(tracers: TracerProvider) -> grpc.aio.ServerInterceptor:
    """Open a span for each call, except for gRPC's own services: a health watch never ends."""
    interceptor: grpc.aio.ServerInterceptor = aio_server_interceptor(  # type: ignore[no-untyped-call]
        tracer_provider=tracers, filter_=filters.negate(filters.service_prefix("grpc."))
    )
    return interceptor


def current_traceparent() -> str:
    """Return the W3C traceparent of the current span; empty if there is none."""
    return traceparent_of(trace.get_current_span())
