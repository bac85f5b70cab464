"""A provider of tracers that keeps finished spans, and functions that read a span."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult


class Spans(SpanExporter):
    """A provider of tracers that keeps their finished spans."""

    def __init__(self) -> None:
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self))
        self.finished: list[ReadableSpan] = []
        self._changed = asyncio.Event()
        self._arrived = threading.Condition()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keep finished spans."""
        with self._arrived:
            self.finished += spans
            self._arrived.notify_all()
        self._changed.set()
        return SpanExportResult.SUCCESS

    def named(self, kind: str) -> list[ReadableSpan]:
        """Return the finished spans of calls ("Sent") or attempts ("Attempt"), by start time."""
        found = [each for each in self.finished if each.name.startswith(f"{kind}.")]
        return sorted(found, key=lambda each: each.start_time or 0)

    async def ended(self, number: int) -> list[ReadableSpan]:
        """Return the finished spans, once there are this many."""
        while len(self.finished) < number:
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 60)
        return self.finished

    def wait_for(self, number: int) -> None:
        """Block until this many spans have finished, in any thread."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.finished) >= number, 60)


def sent(traceparent: str | bytes) -> tuple[str, str]:
    """Return trace id and span id of a traceparent."""
    _, trace_id, span_id, _ = str(traceparent).split("-")
    return trace_id, span_id


def ids(span: ReadableSpan) -> tuple[str, str]:
    """Return trace id and span id of a span."""
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


def parent_of(span: ReadableSpan) -> tuple[str, str] | None:
    """Return trace id and span id of a span's parent; None for a root."""
    above = span.parent
    return None if above is None else (f"{above.trace_id:032x}", f"{above.span_id:016x}")


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """Return the attributes of a span."""
    return dict(span.attributes or {})
