"""Carries the trace over the wire, in the metadata of each attempt.

By OpenTelemetry's propagators (W3C traceparent and tracestate, unless OTEL_PROPAGATORS says
otherwise), as in gRFC A72.
"""

from opentelemetry import propagate, trace
from opentelemetry.context import Context, get_current

from discovery.call.metadata import Metadatum, validated
from discovery.errors import InvalidMetadataError


def parent(metadata: tuple[Metadatum, ...] | None) -> Context:
    """What a call made now belongs to: the current span, else the one its metadata names."""
    context = get_current()
    if not metadata or trace.get_current_span(context).get_span_context().is_valid:
        return context
    fields = propagate.get_global_textmap().fields
    told = {key: value for key, value in metadata if key in fields and isinstance(value, str)}
    return propagate.extract(told, context) if told else context


def with_context(
    metadata: tuple[Metadatum, ...] | None, context: Context
) -> tuple[Metadatum, ...] | None:
    """The metadata, with the context instead of what it said of one before."""
    told: dict[str, str] = {}
    propagate.inject(told, context)
    if not told:
        return metadata
    sent = {key.lower(): value for key, value in told.items() if _can_be_sent(key.lower(), value)}
    return (*(pair for pair in metadata or () if pair[0] not in sent), *sent.items())


def _can_be_sent(key: str, value: str) -> bool:
    """A tracestate or baggage from elsewhere may hold what metadata can't."""
    try:
        validated([(key, value)])
    except InvalidMetadataError:
        return False
    return True
