"""The part of telemetry that imports OpenTelemetry's SDK."""

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

from services.chassis.discreet_exporter import DiscreetExporter
from services.chassis.settings import ServerSettings, TelemetrySettings
from services.chassis.story_context import traceparent_of
from services.chassis.telemetry import MAX_WAITING_SPANS


def resource(service_name: str, server: ServerSettings) -> Resource:
    """Who sends."""
    return Resource.create(
        {
            "service.namespace": "tradepost",
            "service.name": service_name,
            "service.version": server.version,
            "service.instance.id": server.instance_id,
        }
    )


def tracer_provider(sender: Resource, settings: TelemetrySettings) -> TracerProvider:
    """A provider that sends spans to the endpoint (OTLP/gRPC) in batches, from its own thread."""
    made = TracerProvider(resource=sender)
    endpoint = settings.otlp_endpoint
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=_is_insecure(endpoint))
    made.add_span_processor(
        BatchSpanProcessor(DiscreetExporter(exporter), max_queue_size=MAX_WAITING_SPANS)
    )
    return made


def meter_provider(sender: Resource, settings: TelemetrySettings) -> MeterProvider:
    """A provider that sends metrics there too, every minute (OTEL_METRIC_EXPORT_INTERVAL)."""
    endpoint = settings.otlp_endpoint
    exporter = OTLPMetricExporter(endpoint=endpoint, insecure=_is_insecure(endpoint))
    return MeterProvider(resource=sender, metric_readers=[PeriodicExportingMetricReader(exporter)])


def interceptor(made: TracerProvider) -> grpc.aio.ServerInterceptor:
    """A span for each call except gRPC's own: a health watch's would never end."""
    made_for: grpc.aio.ServerInterceptor = aio_server_interceptor(  # type: ignore[no-untyped-call]
        tracer_provider=made, filter_=filters.negate(filters.service_prefix("grpc."))
    )
    return made_for


def current_traceparent() -> str:
    """The W3C traceparent of the current span; empty where there is none."""
    return traceparent_of(trace.get_current_span())


def _is_insecure(endpoint: str) -> bool:
    return endpoint.startswith("http://")
