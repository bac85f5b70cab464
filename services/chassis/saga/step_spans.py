"""A span for every step of a saga, below the call that began the story.

Only a traced process imports this.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode, Tracer

from services.chassis.saga.outcome import Failed, Finding, Unknown
from services.chassis.telemetry import correlation
from services.chassis.telemetry.trace_context import parent_context, traceparent_of


class StepSpans:
    """Opens the spans; calls and log lines of a step belong to its own."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def step(
        self, name: str, *, subject: str, participant: str, attempt: int
    ) -> Iterator["StepSpan"]:
        """The span of a step, until the block ends."""
        span = self._tracer.start_span(
            f"step {name}",
            parent_context(),
            attributes={
                "tradepost.saga.subject": subject,
                "tradepost.saga.step": name,
                "tradepost.saga.participant": participant,
                "tradepost.saga.step_attempt": attempt,
            },
        )
        told = replace(correlation.current(), traceparent=traceparent_of(span))
        token = correlation.bind(told)
        try:
            with trace.use_span(
                span, end_on_exit=True, record_exception=False, set_status_on_exception=False
            ):
                yield StepSpan(span)
        finally:
            token.var.reset(token)


class StepSpan:
    """The span of one step."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def ended(self, finding: Finding[Any]) -> None:
        """Tell what came of it, and why where that is no answer."""
        match finding:
            case Unknown(error=why):
                self._tell("unknown", why)
            case Failed(reason=why):
                self._tell("failed", why)
            case _:
                self._tell("answered", "")

    def _tell(self, outcome: str, why: str) -> None:
        self._span.set_attribute("tradepost.saga.outcome", outcome)
        if why:
            self._span.set_attribute("error.type", why)
            self._span.set_status(Status(StatusCode.ERROR))
