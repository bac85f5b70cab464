"""Where the running work stands in its trace. Only a traced process imports this."""

from opentelemetry import trace
from opentelemetry.context import Context, get_current
from opentelemetry.trace import Span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.chassis.telemetry import correlation

_W3C = TraceContextTextMapPropagator()


def story_context() -> Context | None:
    """What a span opened now is a child of; None where the work belongs to nobody's trace.

    That is the current span; where there is none (a saga runs in an empty context), the
    traceparent of the story.
    """
    context = get_current()
    if trace.get_current_span(context).get_span_context().is_valid:
        return context
    told = correlation.current().traceparent
    if not told:
        return None
    context = _W3C.extract({"traceparent": told}, context)
    return context if trace.get_current_span(context).get_span_context().is_valid else None


def traceparent_of(span: Span) -> str:
    """The W3C traceparent of a span; empty where it is none."""
    context = span.get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
