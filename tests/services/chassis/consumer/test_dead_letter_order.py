"""After replays, the result equals a run without failures, in any order of replays and rewinds."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.chassis.event_consumer import Consumer, Notebook, consumer
from tests.support.chassis.event_source import Source, event_source
from tests.support.limits import WAIT_S
from tests.support.store.databases import sqlite_databases

AGGREGATES = ("ord_a", "ord_b", "ord_c")


@dataclass(frozen=True)
class Scenario:
    """The events, which of them fail at first, and when an operator replays or rewinds.

    `events` are pairs of an aggregate and whether the event fails. `replays` are pairs of an event
    number and an aggregate, `rewinds` of an event number and a share of the position.
    """

    events: list[tuple[str, bool]]
    max_batch: int
    replays: list[tuple[int, str]]
    rewinds: list[tuple[int, float]]


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Up to 25 events of three aggregates, of which about every fourth fails at first."""
    event = st.tuples(st.sampled_from(AGGREGATES), st.sampled_from((False, False, False, True)))
    events = draw(st.lists(event, min_size=1, max_size=25))
    replay = st.tuples(st.integers(0, len(events)), st.sampled_from(AGGREGATES))
    rewind = st.tuples(st.integers(0, len(events)), st.floats(0, 1))
    return Scenario(
        events,
        draw(st.integers(1, 7)),
        draw(st.lists(replay, max_size=4)),
        draw(st.lists(rewind, max_size=3)),
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios())
def test_replays_lead_to_the_result_of_a_run_without_failures(scenario: Scenario) -> None:
    """With any failures, replays and rewinds, each aggregate's events are applied in order."""
    asyncio.run(_run(scenario))


async def _run(scenario: Scenario) -> None:
    with sqlite_databases() as databases:
        async with (
            event_source(databases) as source,
            consumer(
                databases,
                source.channel,
                notebook=Notebook(
                    unwritable={_text(n) for n, (_, bad) in _numbered(scenario) if bad}
                ),
                max_batch=scenario.max_batch,
            ) as one,
            asyncio.timeout(WAIT_S),
        ):
            await _append_events(scenario, source, one)
            await one.wait_for_position(len(scenario.events))
            await _check_order_so_far(scenario, one)
            one.notebook.unwritable.clear()
            for aggregate in {dead_letter.event.aggregate_id for dead_letter in await one.parked()}:
                await one.replay(aggregate)
            assert await one.parked() == []
            assert await one.notes() == _expected_notes(scenario)
            assert one.notebook.written == len(scenario.events)


async def _append_events(scenario: Scenario, source: Source, one: Consumer) -> None:
    for number, (aggregate, _) in _numbered(scenario):
        for at, replayed in scenario.replays:
            if at == number:
                await one.wait_for_position(number)
                if any(each.event.aggregate_id == replayed for each in await one.parked()):
                    await one.replay(replayed)
        for at, share in scenario.rewinds:
            if at == number:
                # This does not wait for the consumer, so a batch may be in flight.
                reached = await one.database.read(one.subscription.inbox.reached)
                await one.rewind(int(share * (0 if reached is None else reached.position)))
        await source.append(aggregate, _text(number))


async def _check_order_so_far(scenario: Scenario, one: Consumer) -> None:
    """Each aggregate has its events up to the first that fails."""
    notes, expected = await one.notes(), _expected_notes(scenario)
    for aggregate, texts in expected.items():
        bad = {_text(n) for n, (_, is_bad) in _numbered(scenario) if is_bad}
        good = next((i for i, text in enumerate(texts) if text in bad), len(texts))
        assert notes.get(aggregate, []) == texts[:good]


def _expected_notes(scenario: Scenario) -> dict[str, list[str]]:
    expected: defaultdict[str, list[str]] = defaultdict(list)
    for number, (aggregate, _) in _numbered(scenario):
        expected[aggregate].append(_text(number))
    return dict(expected)


def _numbered(scenario: Scenario) -> list[tuple[int, tuple[str, bool]]]:
    return list(enumerate(scenario.events))


def _text(number: int) -> str:
    return f"Fact{number}"
