"""A span for every event that a consumer applies, in the trace of the call that led to the event.

Only a traced process imports this module.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from opentelemetry.trace import Status, StatusCode, Tracer
from sqlalchemy import Connection
from tradepost.event.v1.event_pb2 import Event

from services.chassis.consumer.inbox import Handler
from services.chassis.store.unit.change import AfterCommit
from services.chassis.store.unit.needs import Needs
from services.chassis.telemetry import correlation
from services.chassis.telemetry.trace_context import parent_context, traceparent_of


@dataclass(frozen=True, slots=True)
class TracedHandler:
    """Applies an event with the handler of a consumer, inside a span.

    What the event leads to belongs to its span. An event without a trace gets no span.
    """

    consumer: str
    handler: Handler
    tracer: Tracer

    def needs(self, event: Event) -> Needs:
        """What the handler will read; nothing if it doesn't say it."""
        named: Needs = getattr(self.handler, "needs", _needs_nothing)(event)
        return named

    def __call__(self, connection: Connection, event: Event) -> AfterCommit | None:
        """Apply the event. Raises what the handler raises."""
        with self._span(event):
            return self.handler(connection, event)

    @contextmanager
    def _span(self, event: Event) -> Iterator[None]:
        context = parent_context()
        if context is None:
            yield
            return
        span = self.tracer.start_span(
            f"apply {event.type}",
            context,
            attributes={
                "tradepost.consumer": self.consumer,
                "tradepost.event.subject": event.aggregate_id,
                "tradepost.event.position": event.position,
            },
        )
        correlation.bind(replace(correlation.current(), traceparent=traceparent_of(span)))
        try:
            yield
        except Exception as error:
            # Only the type: the text may hold stored values.
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            span.end()


def _needs_nothing(_: Event) -> Needs:
    return ()
