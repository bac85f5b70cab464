"""OpenTelemetry's providers of tracers and meters. Only a traced process imports this module."""

from dataclasses import dataclass

import grpc
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import aio_server_interceptor, filters
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from services.chassis.telemetry.redacting_exporter import RedactingExporter
from services.chassis.telemetry.settings import ProcessIdentity, TelemetrySettings
from services.chassis.telemetry.trace_context import traceparent_of

# More spans than this, waiting for a slow collector, are dropped.
MAX_WAITING_SPANS = 4_096


@dataclass(frozen=True, slots=True)
class Providers:
    """Providers of tracers and meters, which export from threads of their own.

    `meters` is None where the settings turn metrics off.
    """

    tracers: TracerProvider
    meters: MeterProvider | None
    _exporters: tuple[OTLPSpanExporter | OTLPMetricExporter, ...]

    def shut_down(self) -> None:
        """Send the rest; blocks for as long as the exporters try."""
        self.tracers.shutdown()
        if self.meters is not None:
            self.meters.shutdown()

    def drop_rest(self) -> None:
        """Drop the rest; a `shut_down` that blocks returns."""
        for exporter in self._exporters:
            exporter.shutdown()


def providers_of(process: ProcessIdentity, settings: TelemetrySettings) -> Providers:
    """Export spans in batches and metrics every minute (OTEL_METRIC_EXPORT_INTERVAL)."""
    resource = Resource.create(
        {
            "service.namespace": "tradepost",
            "service.name": process.service_name,
            "service.version": process.version,
            "service.instance.id": process.instance_id,
        }
    )
    endpoint = settings.otlp_endpoint
    insecure = endpoint.startswith("http://")
    span_exporter = OTLPSpanExporter(endpoint=endpoint, insecure=insecure)
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(
        BatchSpanProcessor(RedactingExporter(span_exporter), max_queue_size=MAX_WAITING_SPANS)
    )
    if settings.metrics == "none":
        return Providers(tracers, None, (span_exporter,))
    metric_exporter = OTLPMetricExporter(endpoint=endpoint, insecure=insecure)
    reader = PeriodicExportingMetricReader(metric_exporter)
    meters = MeterProvider([reader], resource=resource)
    return Providers(tracers, meters, (span_exporter, metric_exporter))


def server_interceptor(tracers: TracerProvider) -> grpc.aio.ServerInterceptor:
    """Open a span for each call, except for gRPC's own services: a health watch never ends."""
    interceptor: grpc.aio.ServerInterceptor = aio_server_interceptor(  # type: ignore[no-untyped-call]
        tracer_provider=tracers, filter_=filters.negate(filters.service_prefix("grpc."))
    )
    return interceptor


def current_traceparent() -> str:
    """Return the W3C traceparent of the current span; empty if there is none."""
    return traceparent_of(trace.get_current_span())
