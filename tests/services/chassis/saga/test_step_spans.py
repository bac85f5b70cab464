"""Each step of a saga has a span, in the trace of the call that began the saga."""

from collections.abc import AsyncIterator

import grpc
import pytest
from opentelemetry import trace

from services.chassis.saga.model import Contradiction, Pending
from services.chassis.saga.step_spans import StepSpans
from tests.support.chassis.saga_in_memory import Answer, SagasOnDatabase, bare, refused
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import Databases, open_database
from tests.support.telemetry.spans import Spans, attributes, ids, parent_of

TRACE_ID, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
async def spans() -> AsyncIterator[Spans]:
    """The spans of the steps."""
    made = Spans()
    yield made
    made.provider.shutdown()


@pytest.fixture
async def sagas(databases: Databases, spans: Spans) -> AsyncIterator[SagasOnDatabase]:
    """A runner whose sagas are traced."""
    clock = ManualClock()
    database = await open_database(databases, clock=clock)
    steps = StepSpans(spans.provider.get_tracer("test"))
    yield SagasOnDatabase(database, clock, spans=steps, traceparent=f"00-{TRACE_ID}-{CALLER}-01")
    await database.close()


async def test_each_step_is_a_child_of_the_stored_traceparent(
    sagas: SagasOnDatabase, spans: Spans
) -> None:
    """A runner has no span of its own, because it may be another process, days later."""
    await sagas.runner.drive(await sagas.begin())

    first, second = spans.finished
    assert (first.name, second.name) == ("step first", "step second")
    assert parent_of(first) == parent_of(second) == (TRACE_ID, CALLER)
    assert attributes(first) == {
        "tradepost.saga.subject": "one",
        "tradepost.saga.step": "first",
        "tradepost.saga.participant": "first participant",
        "tradepost.saga.step_attempt": 1,
        "tradepost.saga.outcome": "answered",
    }


async def test_what_a_step_does_belongs_to_its_span(sagas: SagasOnDatabase, spans: Spans) -> None:
    """A step's calls belong to its span; recording belongs to the trace's caller again."""
    seen: list[trace.SpanContext] = []
    sagas.saga.on_call = lambda: seen.append(trace.get_current_span().get_span_context())

    await sagas.runner.drive(await sagas.begin())

    traceparents = [each.traceparent for each in sagas.saga.call_correlations]
    assert traceparents == [f"00-{TRACE_ID}-{ids(span)[1]}-01" for span in spans.finished]
    assert [f"{each.span_id:016x}" for each in seen] == [ids(span)[1] for span in spans.finished]
    assert {each.traceparent for each in sagas.saga.record_correlations} == {
        f"00-{TRACE_ID}-{CALLER}-01"
    }


@pytest.mark.parametrize(
    ("answer", "outcome", "why"),
    [
        (bare(grpc.StatusCode.UNAVAILABLE), "unknown", "UNAVAILABLE"),
        (Pending("AUTHORIZING"), "unknown", "AUTHORIZING"),
        (refused(grpc.StatusCode.FAILED_PRECONDITION), "failed", "SOLD_OUT"),
        (Contradiction("ANSWERED_HELD"), "failed", "ANSWERED_HELD"),
    ],
    ids=["unavailable", "pending", "refused", "contradiction"],
)
async def test_a_step_without_an_answer_says_why(
    sagas: SagasOnDatabase, spans: Spans, answer: Answer | Exception, outcome: str, why: str
) -> None:
    """The span holds the error's code or reason, but no free text."""
    sagas.saga.answers["first"] = [answer]

    await sagas.runner.drive(await sagas.begin())

    first = spans.finished[0]
    assert attributes(first)["tradepost.saga.outcome"] == outcome
    assert attributes(first)["error.type"] == why
    assert not first.status.is_ok


async def test_parallel_steps_have_spans_of_their_own(sagas: SagasOnDatabase, spans: Spans) -> None:
    """Parallel steps have the same parent."""
    sagas.saga.answers["first"] = [refused(grpc.StatusCode.NOT_FOUND)]

    await sagas.runner.drive(await sagas.begin())

    together = [span for span in spans.finished if span.name in {"step undo", "step check"}]
    assert [parent_of(span) for span in together] == [(TRACE_ID, CALLER)] * 2


async def test_a_saga_without_a_trace_begins_one(sagas: SagasOnDatabase, spans: Spans) -> None:
    """If the caller was not traced, each step begins a trace of its own."""
    sagas.saga.traceparent = ""

    await sagas.runner.drive(await sagas.begin())

    assert [parent_of(span) for span in spans.finished] == [None, None]
