"""A step of a saga has a span, below the call that began the story, whenever it is carried out."""

from collections.abc import AsyncIterator

import grpc
import pytest
from opentelemetry import trace

from services.chassis.saga.model import Contradiction, Pending
from services.chassis.saga.step_spans import StepSpans
from tests.support.chassis.errand_saga import Answer, Town, bare, refused
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import Databases, open_database
from tests.support.telemetry.spans import Spans, attributes, ids, parent_of

TRACE_ID, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
async def spans() -> AsyncIterator[Spans]:
    """Where the steps are told."""
    made = Spans()
    yield made
    made.provider.shutdown()


@pytest.fixture
async def town(databases: Databases, spans: Spans) -> AsyncIterator[Town]:
    """A town whose errands are traced."""
    clock = ManualClock()
    database = await open_database(databases, clock=clock)
    steps = StepSpans(spans.provider.get_tracer("test"))
    yield Town(database, clock, spans=steps, traceparent=f"00-{TRACE_ID}-{CALLER}-01")
    await database.close()


async def test_each_step_is_a_child_of_the_stored_traceparent(town: Town, spans: Spans) -> None:
    """Who drives a saga has no span of its own: it may be another process, days later."""
    await town.runner.drive(await town.begin())

    first, second = spans.told
    assert (first.name, second.name) == ("step first", "step second")
    assert parent_of(first) == parent_of(second) == (TRACE_ID, CALLER)
    assert attributes(first) == {
        "tradepost.saga.subject": "one",
        "tradepost.saga.step": "first",
        "tradepost.saga.participant": "first shop",
        "tradepost.saga.step_attempt": 1,
        "tradepost.saga.outcome": "answered",
    }


async def test_what_a_step_does_belongs_to_its_span(town: Town, spans: Spans) -> None:
    """Its calls and log lines; what comes after it belongs to the story again."""
    seen: list[trace.SpanContext] = []
    town.errands.asked = lambda: seen.append(trace.get_current_span().get_span_context())

    await town.runner.drive(await town.begin())

    traceparents = [story.traceparent for story in town.errands.stories]
    assert traceparents == [f"00-{TRACE_ID}-{ids(span)[1]}-01" for span in spans.told]
    assert [f"{each.span_id:016x}" for each in seen] == [ids(span)[1] for span in spans.told]
    assert {story.traceparent for story in town.errands.recorded} == {f"00-{TRACE_ID}-{CALLER}-01"}


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
    town: Town, spans: Spans, answer: Answer | Exception, outcome: str, why: str
) -> None:
    """By its code; the details of an error are free text."""
    town.errands.answers["first"] = [answer]

    await town.runner.drive(await town.begin())

    first = spans.told[0]
    assert attributes(first)["tradepost.saga.outcome"] == outcome
    assert attributes(first)["error.type"] == why
    assert not first.status.is_ok


async def test_steps_that_go_out_together_have_spans_of_their_own(town: Town, spans: Spans) -> None:
    """Neither is the other's parent."""
    town.errands.answers["first"] = [refused(grpc.StatusCode.NOT_FOUND)]

    await town.runner.drive(await town.begin())

    together = [span for span in spans.told if span.name in {"step undo", "step check"}]
    assert [parent_of(span) for span in together] == [(TRACE_ID, CALLER)] * 2


async def test_a_saga_of_no_traced_story_begins_traces(town: Town, spans: Spans) -> None:
    """Whoever placed it wasn't traced; what happens now is seen all the same."""
    town.errands.traceparent = ""

    await town.runner.drive(await town.begin())

    assert [parent_of(span) for span in spans.told] == [None, None]
