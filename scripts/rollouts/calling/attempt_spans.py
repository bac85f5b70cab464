"""Reads attempts from the spans that `discovery` records, as any application can.

A span names the instance, the method and the code with which the attempt ended.
"""

from grpc import StatusCode
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from discovery.rules.failure_codes import FAILURES, OVERLOAD
from scripts.rollouts.calling.watched import Watched
from scripts.rollouts.verdict.attempt import Attempt

FAILED = frozenset(code.name for code in FAILURES | OVERLOAD)
# The caller gave it up, which says nothing about the instance.
_NO_OUTCOME = StatusCode.CANCELLED.name
_NANOS = 1e9


class AttemptSpans(SpanProcessor):
    """Tells of each attempt that ended on a watched instance."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched

    @property
    def provider(self) -> TracerProvider:
        """What a channel is opened with, so that its spans come here."""
        provider = TracerProvider()
        provider.add_span_processor(self)
        return provider

    def on_end(self, span: ReadableSpan) -> None:
        """Read a span; those of whole calls name no instance."""
        attributes = span.attributes or {}
        arm = self._watched.by_id.get(str(attributes.get("discovery.instance.id")))
        code = attributes.get("rpc.response.status_code")
        if arm is None or code == _NO_OUTCOME or span.start_time is None or span.end_time is None:
            return
        self._watched.take(
            Attempt(
                arm=arm,
                method=str(attributes["rpc.method"]),
                failed=code in FAILED,
                latency_s=(span.end_time - span.start_time) / _NANOS,
                ended_s=span.end_time / _NANOS,
            )
        )
