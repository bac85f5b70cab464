"""Opens a span for each write that belongs to a trace, with its queue wait and its batch size.

A write outside any trace (a poll, a sweep) gets no span: each would start a trace of its own, for
as long as the process runs. Only a traced process imports this module, which loads OpenTelemetry.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from opentelemetry.trace import Span, Status, StatusCode, Tracer
from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.store.job import Job
from services.chassis.telemetry.trace_context import parent_context

QUEUE_WAIT = "tradepost.write.queue_wait_s"
BATCH_SIZE = "tradepost.write.batch_size"


class WriteSpans:
    """Opens a span when a write is queued, and ends it when the caller has the result."""

    def __init__(self, tracer: Tracer, clock: Clock) -> None:
        self._tracer = tracer
        self._monotonic = clock.monotonic

    def follow(self, job: Job) -> None:
        """Open a span for `job`, which is about to be queued."""
        context = parent_context()
        if context is None:
            return
        name = name_of(job.function)
        span = self._tracer.start_span(
            f"write {name}", context, attributes={"code.function.name": name}
        )
        job.function = partial(self._run, span, self._monotonic(), job.function)
        job.future.add_done_callback(lambda _: _finish(span, job))

    def _run(
        self,
        span: Span,
        queued_s: float,
        function: Callable[..., Any],
        connection: Connection,
        *args: Any,
    ) -> Any:
        span.set_attribute(QUEUE_WAIT, self._monotonic() - queued_s)
        return function(connection, *args)


def _finish(span: Span, job: Job) -> None:
    """End the span. It names only the type of an error, whose text may hold stored values."""
    if job.batch_size:
        span.set_attribute(BATCH_SIZE, job.batch_size)
    failed = "cancelled" if job.future.cancelled() else job.future.exception()
    if failed is not None:
        span.set_attribute("error.type", failed if failed == "cancelled" else type(failed).__name__)
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def name_of(function: Callable[..., Any]) -> str:
    """The qualified name of a write function in the source, like "PaymentStore.record"."""
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__qualname__", type(function).__name__)
