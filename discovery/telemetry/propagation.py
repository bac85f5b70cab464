"""Passes the trace context to the server in the metadata of each attempt (gRFC A72).

It uses OpenTelemetry's propagators: W3C traceparent and tracestate, unless OTEL_PROPAGATORS names
others.
"""

from opentelemetry import propagate, trace
from opentelemetry.context import Context, get_current

from discovery.call.metadata import Metadatum, validated
from discovery.errors import InvalidMetadataError


def parent(metadata: tuple[Metadatum, ...] | None) -> Context:
    """The parent context of a call made now: the current span, else that of its metadata."""
    context = get_current()
    if not metadata or trace.get_current_span(context).get_span_context().is_valid:
        return context
    fields = propagate.get_global_textmap().fields
    given = {key: value for key, value in metadata if key in fields and isinstance(value, str)}
    return propagate.extract(given, context) if given else context


def with_context(
    metadata: tuple[Metadatum, ...] | None, context: Context
) -> tuple[Metadatum, ...] | None:
    """The metadata with this context, which replaces any context in it."""
    fields: dict[str, str] = {}
    propagate.inject(fields, context)
    if not fields:
        return metadata
    sent = {key.lower(): value for key, value in fields.items() if _can_be_sent(key.lower(), value)}
    return (*(pair for pair in metadata or () if pair[0] not in sent), *sent.items())


def _can_be_sent(key: str, value: str) -> bool:
    """Whether metadata can carry it: a foreign tracestate or baggage may hold other characters."""
    try:
        validated([(key, value)])
    except InvalidMetadataError:
        return False
    return True
