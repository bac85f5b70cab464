"""OpenTelemetry's OTLP exporters, by gRPC or HTTP. Only a traced process imports this module.

They read headers, timeouts, certificates and compression from the environment. Either protocol
costs memory, so only the one in use is imported.
"""

from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter

from services.chassis.telemetry.settings import HTTP, OtlpTarget


def span_exporter(target: OtlpTarget) -> SpanExporter:
    """The exporter of spans."""
    if target.protocol == HTTP:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter as HttpSpanExporter,
        )

        return HttpSpanExporter(endpoint=target.endpoint)
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    return OTLPSpanExporter(endpoint=target.endpoint, insecure=_insecure(target))


def metric_exporter(target: OtlpTarget) -> MetricExporter:
    """The exporter of metrics."""
    if target.protocol == HTTP:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415
            OTLPMetricExporter as HttpMetricExporter,
        )

        return HttpMetricExporter(endpoint=target.endpoint)
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (  # noqa: PLC0415
        OTLPMetricExporter,
    )

    return OTLPMetricExporter(endpoint=target.endpoint, insecure=_insecure(target))


def _insecure(target: OtlpTarget) -> bool | None:
    """The scheme decides; without one, OTEL_EXPORTER_OTLP_INSECURE does (None)."""
    return True if target.endpoint.startswith("http://") else None
