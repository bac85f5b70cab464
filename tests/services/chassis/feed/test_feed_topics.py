"""Whoever follows a topic hears of nothing else, and isn't even woken for it."""

import asyncio
from dataclasses import replace

from services.chassis.log.event_log import NewEvent
from services.chassis.log.tailer import Change, Tailer
from services.chassis.log.watch import Watch
from tests.support.chassis.event_source import (
    event_source,
    new_event,
    next_batch,
    text_of,
    type_named,
)
from tests.support.store.databases import Databases

WAIT_S = 60.0
TOPIC = "choreography"


def of_topic(name: str) -> NewEvent:
    """A fact of the topic."""
    return replace(new_event(name), topic=TOPIC)


async def test_a_topic_is_followed_alone(databases: Databases) -> None:
    """Of all types, or of some; heartbeats carry the position over everything else."""
    async with event_source(databases) as source, asyncio.timeout(WAIT_S):
        await source.append_all("ord_1", [new_event("Placed"), of_topic("Placed")])
        await source.append_all("ord_2", [of_topic("Confirmed"), new_event("Confirmed")])
        call = source.subscribe(topic=TOPIC)
        events = await next_batch(call)
        confirmed = source.subscribe(topic=TOPIC, types=[type_named("Confirmed")])
        (only,) = await next_batch(confirmed)
        heartbeat = (await call.read()).heartbeat
        for each in (call, confirmed):
            each.cancel()
    assert [(event.position, event.topic) for event in events] == [(2, TOPIC), (3, TOPIC)]
    assert (only.position, text_of(only)) == (3, "Confirmed")
    assert (heartbeat.position, heartbeat.head) == (4, 4)


async def test_a_follower_of_a_topic_is_told_at_once(databases: Databases) -> None:
    """Also of what another instance writes; what comes before it is passed over."""
    async with (
        event_source(databases) as source,
        event_source(databases, owner="second") as other,
        asyncio.timeout(WAIT_S),
    ):
        call = source.subscribe(topic=TOPIC)
        await call.read()
        await source.append("ord_1", "Placed", "Confirmed")
        await other.append_all("ord_2", [new_event("Placed"), of_topic("Confirmed")])
        (event,) = await next_batch(call)
        call.cancel()
    assert (event.position, event.aggregate_id) == (4, "ord_2")


async def test_nobody_is_woken_for_what_is_not_wanted(databases: Databases) -> None:
    """A change that isn't wanted leaves a watch where it is; draining ends every wait."""
    async with event_source(databases) as source, asyncio.timeout(WAIT_S):
        tailer: Tailer = source.tailer
        with tailer.watch(lambda change: change.topic == TOPIC) as watch:
            # The tailer's own start may have shown the log once.
            await tailer.wait_position(0)
            await source.append_all("ord_1", [new_event("Placed")])
            assert not watch.is_due(0)
            await source.append_all("ord_1", [of_topic("Confirmed")])
            assert watch.is_due(1)
            assert not watch.is_due(2)
            tailer.stop_waiters()
            await tailer.wait_matching(watch, after_position=2)


async def test_a_watch_that_is_due_does_not_wait() -> None:
    """What was told before it began to wait isn't waited for again."""
    watch = Watch(lambda change: change.type == "Placed")
    watch.report(Change(1, "ord_1", 1, "Placed"))
    watch.report(Change(2, "ord_1", 2, "Confirmed"))
    assert watch.is_due(0)
    assert not watch.is_due(1)
    woken = watch.begin()
    watch.report(Change(3, "ord_1", 3, "Confirmed"))
    assert not woken.done()
    watch.report(Change(4, "ord_2", 1, "Placed"))
    assert woken.done()
