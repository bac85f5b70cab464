"""After the repair, a replay equals the run that never had anything to repair, rewound or not."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.chassis.event_consumer import Consumer, Notebook, consumer
from tests.support.chassis.event_source import Source, event_source
from tests.support.store.databases import sqlite_databases

WAIT_S = 120.0
AGGREGATES = ("ord_a", "ord_b", "ord_c")


@dataclass(frozen=True)
class Story:
    """Who says what, which of it is poisoned, and where an operator does something."""

    told: list[tuple[str, bool]]
    max_batch: int
    repairs: list[tuple[int, str]]
    rewinds: list[tuple[int, float]]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Up to 25 events of three aggregates; every fourth or so can't be applied at first."""
    event = st.tuples(st.sampled_from(AGGREGATES), st.sampled_from((False, False, False, True)))
    told = draw(st.lists(event, min_size=1, max_size=25))
    replay = st.tuples(st.integers(0, len(told)), st.sampled_from(AGGREGATES))
    rewind = st.tuples(st.integers(0, len(told)), st.floats(0, 1))
    return Story(
        told,
        draw(st.integers(1, 7)),
        draw(st.lists(replay, max_size=4)),
        draw(st.lists(rewind, max_size=3)),
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(stories())
def test_a_replay_equals_the_run_that_never_had_it(story: Story) -> None:
    """Whatever is poisoned, replayed in vain or put back under way, nothing is out of order."""
    asyncio.run(_live_through(story))


async def _live_through(story: Story) -> None:
    with sqlite_databases() as databases:
        async with (
            event_source(databases) as source,
            consumer(
                databases,
                source.channel,
                notebook=Notebook(unwritable={_text(n) for n, (_, bad) in _numbered(story) if bad}),
                max_batch=story.max_batch,
            ) as one,
            asyncio.timeout(WAIT_S),
        ):
            await _tell(story, source, one)
            await one.reached(len(story.told))
            await _check_order_so_far(story, one)
            one.notebook.unwritable.clear()
            for aggregate in {letter.event.aggregate_id for letter in await one.parked()}:
                await one.replay(aggregate)
            assert await one.parked() == []
            assert await one.notes() == _as_told(story)
            assert one.notebook.written == len(story.told)


async def _tell(story: Story, source: Source, one: Consumer) -> None:
    for number, (aggregate, _) in _numbered(story):
        for at, replayed in story.repairs:
            if at == number:
                await one.reached(number)
                if any(each.event.aggregate_id == replayed for each in await one.parked()):
                    await one.replay(replayed)
        for at, share in story.rewinds:
            if at == number:
                # While the last batch is on its way, or not: the consumer isn't waited for.
                stood = await one.database.read(one.subscription.inbox.reached)
                await one.rewind(int(share * (0 if stood is None else stood.position)))
        await source.append(aggregate, _text(number))


async def _check_order_so_far(story: Story, one: Consumer) -> None:
    """Each aggregate has a beginning of what it was told, up to its first poisoned event."""
    notes, told = await one.notes(), _as_told(story)
    for aggregate, texts in told.items():
        bad = {_text(n) for n, (_, is_bad) in _numbered(story) if is_bad}
        good = next((i for i, text in enumerate(texts) if text in bad), len(texts))
        assert notes.get(aggregate, []) == texts[:good]


def _as_told(story: Story) -> dict[str, list[str]]:
    told: defaultdict[str, list[str]] = defaultdict(list)
    for number, (aggregate, _) in _numbered(story):
        told[aggregate].append(_text(number))
    return dict(told)


def _numbered(story: Story) -> list[tuple[int, tuple[str, bool]]]:
    return list(enumerate(story.told))


def _text(number: int) -> str:
    return f"Fact{number}"
