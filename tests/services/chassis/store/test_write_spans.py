"""A write within a trace has a span with its queue wait, its batch size and its outcome."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
from opentelemetry import trace
from sqlalchemy import Connection

from services.chassis.store.database import Database
from services.chassis.store.write_spans import BATCH_SIZE, QUEUE_WAIT, WriteSpans
from services.chassis.telemetry import correlation
from services.chassis.telemetry.correlation import Correlation
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import Databases, Gate
from tests.support.store.note_table import add_note, add_note_then_fail, create_notes, notes
from tests.support.telemetry.spans import Spans, attributes, parent_of

TRACE_ID, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CORRELATION = Correlation("basket-7", traceparent=f"00-{TRACE_ID}-{CALLER}-01")


class Traced:
    """A database with write spans."""

    def __init__(self, database: Database, clock: ManualClock, spans: Spans) -> None:
        self.database = database
        self.clock = clock
        self.spans = spans


@pytest.fixture
async def traced(databases: Databases) -> AsyncIterator[Traced]:
    """A traced database, outside any trace; its clock moves only when advanced."""
    spans, clock = Spans(), ManualClock()
    database = await Database.open(
        databases.url("notes"),
        clock=clock,
        owner="test",
        spans=WriteSpans(spans.provider.get_tracer("test"), clock),
    )
    await database.write(create_notes)
    yield Traced(database, clock, spans)
    await database.close()
    spans.provider.shutdown()


async def test_a_write_says_how_long_it_waited_and_who_shared_its_batch(traced: Traced) -> None:
    """Two writes that waited 1.5 s for a third show that wait and their batch of two."""
    correlation.bind(CORRELATION)
    gate = Gate()
    first = asyncio.create_task(traced.database.write(gate))
    await gate.entered()
    waiting = [asyncio.create_task(traced.database.write(add_note, text)) for text in ("a", "b")]
    await asyncio.sleep(0)
    await traced.clock.advance(1.5)
    gate.open()
    await asyncio.gather(first, *waiting)

    ended = await traced.spans.ended(3)
    assert {parent_of(span) for span in ended} == {(TRACE_ID, CALLER)}
    waits = sorted(attributes(span)[QUEUE_WAIT] for span in ended)
    assert waits == [0.0, 1.5, 1.5]
    assert sum(1 / attributes(span)[BATCH_SIZE] for span in ended) == pytest.approx(2)


async def test_a_write_is_named_after_its_function(traced: Traced) -> None:
    """The span has the function's name, even if it is wrapped, and not its arguments."""
    correlation.bind(CORRELATION)
    await traced.database.write(partial(add_note, text="canary"))

    (span,) = await traced.spans.ended(1)
    assert (span.name, attributes(span)["code.function.name"]) == ("write add_note", "add_note")
    assert "canary" not in span.to_json()


async def test_the_current_span_is_the_parent(traced: Traced) -> None:
    """The span of a handler's write is a child of the call's span."""
    correlation.bind(CORRELATION)
    sampled = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    call = trace.SpanContext(int(TRACE_ID, 16), 7, is_remote=False, trace_flags=sampled)
    with trace.use_span(trace.NonRecordingSpan(call)):
        await traced.database.write(add_note, "milk")

    (span,) = await traced.spans.ended(1)
    assert parent_of(span) == (TRACE_ID, f"{7:016x}")


@pytest.mark.parametrize("traceparent", ["", "00-not-one-01"])
async def test_a_write_outside_any_trace_has_no_span(traced: Traced, traceparent: str) -> None:
    """A write outside any trace, like a poll or a sweep, has no span."""
    correlation.bind(Correlation("", traceparent=traceparent))
    await traced.database.write(add_note, "milk")
    correlation.bind(CORRELATION)
    await traced.database.write(add_note, "bread")

    assert len(await traced.spans.ended(1)) == 1


async def test_the_span_of_a_failed_write_has_the_type_of_its_error(traced: Traced) -> None:
    """The span of a failed write has the error's type, but not its text."""
    correlation.bind(CORRELATION)
    with pytest.raises(ValueError, match="canary"):
        await traced.database.write(add_note_then_fail, "milk", ValueError("canary"))

    (span,) = await traced.spans.ended(1)
    assert attributes(span)["error.type"] == "ValueError"
    assert not span.status.is_ok
    assert "canary" not in span.to_json()


async def test_a_write_cancelled_before_its_turn_ends_its_span(traced: Traced) -> None:
    """The span of a write that never ran has neither queue wait nor batch size."""
    correlation.bind(CORRELATION)
    gate = Gate()
    first = asyncio.create_task(traced.database.write(gate))
    await gate.entered()
    waiting = asyncio.create_task(traced.database.write(add_note, "milk"))
    await asyncio.sleep(0)
    waiting.cancel()
    (span,) = await traced.spans.ended(1)
    gate.open()
    await first

    assert attributes(span)["error.type"] == "cancelled"
    assert not {QUEUE_WAIT, BATCH_SIZE} & set(attributes(span))
    assert await traced.database.read(notes) == []


async def test_a_traced_write_runs_in_its_callers_context(traced: Traced) -> None:
    """A traced write runs in its caller's context, which holds the correlation of its events."""
    correlation.bind(CORRELATION)

    def correlation_id(_: Connection) -> str:
        return correlation.current().correlation_id

    assert await traced.database.write(correlation_id) == "basket-7"
