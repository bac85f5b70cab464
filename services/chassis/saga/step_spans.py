"""A span for every step of a saga, in the trace of the call that started the saga.

Only a traced process imports this module.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode, Tracer

from services.chassis.saga.outcome import Failed, StepOutcome, Unknown
from services.chassis.telemetry import correlation
from services.chassis.telemetry.trace_context import parent_context, traceparent_of


class StepSpans:
    """Opens the spans of steps; a step's calls and log lines belong to its span."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def step(
        self, name: str, *, subject: str, participant: str, attempt: int
    ) -> Iterator["OpenStepSpan"]:
        """Open the span of a step; it ends with the block."""
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
        below = replace(correlation.current(), traceparent=traceparent_of(span))
        token = correlation.bind(below)
        try:
            with trace.use_span(
                span, end_on_exit=True, record_exception=False, set_status_on_exception=False
            ):
                yield OpenStepSpan(span)
        finally:
            token.var.reset(token)


class OpenStepSpan:
    """The span of one step."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def ended(self, outcome: StepOutcome[Any]) -> None:
        """Record the outcome, and the reason if there is no answer."""
        match outcome:
            case Unknown(error=why):
                self._record("unknown", why)
            case Failed(reason=why):
                self._record("failed", why)
            case _:
                self._record("answered", "")

    def _record(self, outcome: str, why: str) -> None:
        self._span.set_attribute("tradepost.saga.outcome", outcome)
        if why:
            self._span.set_attribute("error.type", why)
            self._span.set_status(Status(StatusCode.ERROR))
