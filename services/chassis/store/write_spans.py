"""A span for every write of a story: how long it waited for its turn, and who shared its batch.

A write that belongs to no story (a poll, a sweep) has none: it would be a trace of its own, all
day long. Only a traced process imports this.
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
    """Opens a span when a write is queued; it ends when the caller has its answer."""

    def __init__(self, tracer: Tracer, clock: Clock) -> None:
        self._tracer = tracer
        self._monotonic = clock.monotonic

    def follow(self, job: Job) -> None:
        """Tell of this write, which is about to be queued."""
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
    """Of a failure the kind alone is told: its text may hold what was to be written."""
    if job.batch_size:
        span.set_attribute(BATCH_SIZE, job.batch_size)
    failed = "cancelled" if job.future.cancelled() else job.future.exception()
    if failed is not None:
        span.set_attribute("error.type", failed if failed == "cancelled" else type(failed).__name__)
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def name_of(function: Callable[..., Any]) -> str:
    """What a write function is called in the source: "PaymentStore.record"."""
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__qualname__", type(function).__name__)
