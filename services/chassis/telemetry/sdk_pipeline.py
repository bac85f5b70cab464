"""The part of telemetry that imports OpenTelemetry's SDK."""

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

from services.chassis.server.settings import ServerSettings, TelemetrySettings
from services.chassis.telemetry.otlp import MAX_WAITING_SPANS
from services.chassis.telemetry.redacting_exporter import DiscreetExporter
from services.chassis.telemetry.trace_context import traceparent_of


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What spans and metrics go through on their way to the endpoint, from threads of its own."""

    traces: TracerProvider
    counts: MeterProvider | None
    _exporters: tuple[OTLPSpanExporter | OTLPMetricExporter, ...]

    def end(self) -> None:
        """Send what is left; blocks for as long as the exporters try."""
        self.traces.shutdown()
        if self.counts is not None:
            self.counts.shutdown()

    def give_up(self) -> None:
        """Drop what is left; an `end` that is waiting returns."""
        for exporter in self._exporters:
            exporter.shutdown()


def pipeline(service_name: str, server: ServerSettings, settings: TelemetrySettings) -> Pipeline:
    """Spans go in batches, metrics every minute (OTEL_METRIC_EXPORT_INTERVAL), over OTLP/gRPC."""
    sender = Resource.create(
        {
            "service.namespace": "tradepost",
            "service.name": service_name,
            "service.version": server.version,
            "service.instance.id": server.instance_id,
        }
    )
    endpoint = settings.otlp_endpoint
    insecure = endpoint.startswith("http://")
    spans = OTLPSpanExporter(endpoint=endpoint, insecure=insecure)
    traces = TracerProvider(resource=sender)
    traces.add_span_processor(
        BatchSpanProcessor(DiscreetExporter(spans), max_queue_size=MAX_WAITING_SPANS)
    )
    if settings.metrics == "none":
        return Pipeline(traces, None, (spans,))
    points = OTLPMetricExporter(endpoint=endpoint, insecure=insecure)
    reader = PeriodicExportingMetricReader(points)
    return Pipeline(traces, MeterProvider([reader], resource=sender), (spans, points))


def interceptor(made: TracerProvider) -> grpc.aio.ServerInterceptor:
    """A span for each call except gRPC's own: a health watch's would never end."""
    made_for: grpc.aio.ServerInterceptor = aio_server_interceptor(  # type: ignore[no-untyped-call]
        tracer_provider=made, filter_=filters.negate(filters.service_prefix("grpc."))
    )
    return made_for


def current_traceparent() -> str:
    """The W3C traceparent of the current span; empty where there is none."""
    return traceparent_of(trace.get_current_span())
