"""The current trace context of the running work. Only a traced process imports this module."""

from opentelemetry import trace
from opentelemetry.context import Context, get_current
from opentelemetry.trace import Span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.chassis.telemetry import correlation

_W3C = TraceContextTextMapPropagator()


def parent_context() -> Context | None:
    """Return the context whose span is the parent of a new span; None if there is no trace.

    It is the current span's. If there is none (a saga runs in an empty context), it is made from
    the traceparent of the current correlation.
    """
    context = get_current()
    if trace.get_current_span(context).get_span_context().is_valid:
        return context
    traceparent = correlation.current().traceparent
    if not traceparent:
        return None
    context = _W3C.extract({"traceparent": traceparent}, context)
    return context if trace.get_current_span(context).get_span_context().is_valid else None


def traceparent_of(span: Span) -> str:
    """Return the W3C traceparent of a span; empty if the span is not valid."""
    context = span.get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
