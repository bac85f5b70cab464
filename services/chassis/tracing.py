"""The part of telemetry that imports OpenTelemetry's SDK."""

import grpc
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import aio_server_interceptor, filters
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from services.chassis.settings import ServerSettings
from services.chassis.telemetry import MAX_WAITING_SPANS


def provider(service_name: str, server: ServerSettings, endpoint: str) -> TracerProvider:
    """A provider that sends spans to `endpoint` (OTLP/gRPC) in batches, from its own thread."""
    resource = Resource.create(
        {
            "service.namespace": "tradepost",
            "service.name": service_name,
            "service.version": server.version,
            "service.instance.id": server.instance_id,
        }
    )
    made = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"))
    made.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=MAX_WAITING_SPANS))
    trace.set_tracer_provider(made)
    return made


def interceptor(made: TracerProvider) -> grpc.aio.ServerInterceptor:
    """A span for each call except gRPC's own: a health watch's would never end."""
    made_for: grpc.aio.ServerInterceptor = aio_server_interceptor(  # type: ignore[no-untyped-call]
        tracer_provider=made, filter_=filters.negate(filters.service_prefix("grpc."))
    )
    return made_for


def current_traceparent() -> str:
    """The W3C traceparent of the current span; empty where there is none."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return ""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
