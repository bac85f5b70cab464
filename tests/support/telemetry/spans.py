"""A provider of tracers whose spans a test can look at, and what a span says."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult


class Spans(SpanExporter):
    """A provider of tracers, and what they told."""

    def __init__(self) -> None:
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self))
        self.told: list[ReadableSpan] = []
        self._changed = asyncio.Event()
        self._arrived = threading.Condition()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keep what ended."""
        with self._arrived:
            self.told += spans
            self._arrived.notify_all()
        self._changed.set()
        return SpanExportResult.SUCCESS

    def named(self, kind: str) -> list[ReadableSpan]:
        """The ended spans of calls ("Sent") or of attempts ("Attempt"), as they began."""
        found = [each for each in self.told if each.name.startswith(f"{kind}.")]
        return sorted(found, key=lambda each: each.start_time or 0)

    async def ended(self, number: int) -> list[ReadableSpan]:
        """So many spans, once they have ended."""
        while len(self.told) < number:
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 30)
        return self.told

    def wait_for(self, number: int) -> None:
        """Return once so many spans have ended, in whichever thread."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.told) >= number, 30)


def sent(traceparent: str | bytes) -> tuple[str, str]:
    """Trace and span id of a traceparent."""
    _, trace_id, span_id, _ = str(traceparent).split("-")
    return trace_id, span_id


def ids(span: ReadableSpan) -> tuple[str, str]:
    """Trace and span id of a span."""
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


def parent_of(span: ReadableSpan) -> tuple[str, str] | None:
    """Trace and span id of a span's parent."""
    above = span.parent
    return None if above is None else (f"{above.trace_id:032x}", f"{above.span_id:016x}")


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """What a span says."""
    return dict(span.attributes or {})
