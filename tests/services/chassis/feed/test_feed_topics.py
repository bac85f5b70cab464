"""A subscriber of a topic gets no other events, and is not woken by them."""

import asyncio
from dataclasses import replace

from services.chassis.log.event_log import NewEvent
from services.chassis.log.tailer import Tailer
from tests.support.chassis.event_source import (
    event_source,
    new_event,
    next_batch,
    text_of,
    type_named,
)
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases

TOPIC = "choreography"


def of_topic(name: str) -> NewEvent:
    """An event of the topic."""
    return replace(new_event(name), topic=TOPIC)


async def test_a_subscriber_of_a_topic_gets_its_events_only(databases: Databases) -> None:
    """A stream of a topic sends only its events; heartbeats move the position past others."""
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


async def test_an_event_of_the_topic_arrives_at_once(databases: Databases) -> None:
    """A new event of the topic arrives at once, also from another instance."""
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


async def test_a_watch_is_woken_by_matching_changes_only(databases: Databases) -> None:
    """A change that does not match leaves a watch unchanged; draining ends its wait."""
    async with event_source(databases) as source, asyncio.timeout(WAIT_S):
        tailer: Tailer = source.tailer
        with tailer.watch(lambda change: change.topic == TOPIC) as watch:
            # The start of the tailer reports the whole log once.
            await tailer.wait_position(0)
            await source.append_all("ord_1", [new_event("Placed")])
            assert not watch.is_due(0)
            await source.append_all("ord_1", [of_topic("Confirmed")])
            assert watch.is_due(1)
            assert not watch.is_due(2)
            tailer.stop_waiters()
            await tailer.wait_matching(watch, after_position=2)
