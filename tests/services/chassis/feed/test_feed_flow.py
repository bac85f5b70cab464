"""Subscribers get events in commit order without gaps, and flow control limits the reads."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import Connection
from tradepost.event.v1 import event_service_pb2 as pb

from services.chassis.feed.wire import MAX_GATHER
from services.chassis.log.event_log import EventLog
from tests.support.chassis.event_consumer import while_time_passes
from tests.support.chassis.event_source import (
    Source,
    append_to,
    event_source,
    new_event,
    next_batch,
    read_events,
    text_of,
)
from tests.support.chassis.rich_status import refusal
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases, Gate, opened_database

SUBSCRIBERS = 8


class HeldOpen:
    """A write that appends, then keeps its transaction open until the test opens the gate."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._gate = Gate()
        self.entered, self.let_go = self._gate.entered, self._gate.open

    def __call__(self, connection: Connection) -> None:
        append_to(connection, self._log, "ord_first", [new_event("Placed")] * 3)
        self._gate(connection)


async def test_a_transaction_held_open_hides_later_ones(databases: Databases) -> None:
    """Position 4 is not visible before positions 1 to 3, even if their transaction is slow."""
    async with (
        event_source(databases) as source,
        opened_database(databases, owner="other", name="source") as other,
        asyncio.timeout(WAIT_S),
    ):
        call = source.subscribe()
        assert (await call.read()).heartbeat.head == 0
        held = HeldOpen(source.log)
        first = asyncio.create_task(other.write(held))
        await held.entered()
        later = asyncio.create_task(source.append("ord_later", "Placed"))
        own = asyncio.create_task(other.write(append_to, source.log, "ord_own", [new_event("Won")]))
        for _ in range(20):
            page = await source.stub.ReadEvents(pb.ReadEventsRequest())
            assert (len(page.events), page.head_position) == (0, 0)
        assert not later.done()
        held.let_go()
        await asyncio.gather(first, later, own)
        events = await read_events(call, 5)
        call.cancel()

    assert [event.position for event in events] == [1, 2, 3, 4, 5]
    assert [event.aggregate_id for event in events[:3]] == ["ord_first"] * 3


async def test_a_transaction_that_fails_leaves_no_gap(databases: Databases) -> None:
    """The positions of a rolled back append are used by the next one."""

    def fail(connection: Connection, log: EventLog) -> None:
        append_to(connection, log, "ord_bad", [new_event("Placed")] * 3)
        raise LookupError

    async with event_source(databases) as source, asyncio.timeout(WAIT_S):
        call = source.subscribe()
        for number in range(10):
            with pytest.raises(LookupError):
                await source.database.write(fail, source.log)
            await source.append(f"ord_{number}", "Placed")
        events = await read_events(call, 10)
        call.cancel()

    assert [event.position for event in events] == list(range(1, 11))
    assert [event.aggregate_id for event in events] == [f"ord_{number}" for number in range(10)]


async def test_every_subscriber_sees_the_same_order_under_load(databases: Databases) -> None:
    """While two instances write, subscribers of both see the same events 1..n."""
    async with (
        event_source(databases) as first,
        event_source(databases, owner="second") as second,
        asyncio.timeout(WAIT_S),
        asyncio.TaskGroup() as group,
    ):

        async def write(source: Source, name: str) -> None:
            for number in range(100):
                await source.append(f"ord_{name}_{number}", "Placed", "Confirmed")

        calls = [(first, second)[number % 2].subscribe() for number in range(SUBSCRIBERS)]
        for source, name in ((first, "a"), (first, "b"), (second, "c")):
            group.create_task(write(source, name))
        seen = [await read_events(call, 600) for call in calls]
        for call in calls:
            call.cancel()

    ids = [[event.event_id for event in events] for events in seen]
    assert [event.position for event in seen[0]] == list(range(1, 601))
    assert all(each == ids[0] for each in ids)


class CountingLog(EventLog):
    """Counts the pages that are read."""

    pages = 0

    def head(self, connection: Connection) -> int:
        self.pages += 1
        return super().head(connection)


async def test_the_log_is_not_read_for_a_subscriber_that_does_not_read(
    databases: Databases,
) -> None:
    """If a subscriber stops reading, the server stops reading the log."""
    total, batch, payload = 512, 4, "x" * 65_536
    async with (
        event_source(databases, log_kind=CountingLog) as source,
        asyncio.timeout(WAIT_S),
    ):
        assert isinstance(source.log, CountingLog)
        health = health_pb2_grpc.HealthStub(source.channel)
        for number in range(0, total, 32):
            await source.append_all(f"ord_{number}", [new_event("Placed", payload=payload)] * 32)
        call = source.subscribe(max_batch=batch)
        events = await next_batch(call)
        seen = -1
        # While the call works, it still reads a page, however slowly.
        while seen != source.log.pages or source.server.admission.working:
            seen = source.log.pages
            for _ in range(100):
                await health.Check(health_pb2.HealthCheckRequest())
        assert seen < total // batch
        assert (source.server.admission.working, source.server.admission.waiting) == (0, 1)
        events += await read_events(call, total - len(events))
        call.cancel()

    assert [event.position for event in events] == list(range(1, total + 1))


async def test_a_subscriber_may_have_events_gathered(databases: Databases) -> None:
    """With `gather`, events that arrive soon after each other come in one batch."""
    clock = ManualClock()
    async with event_source(databases, clock=clock) as source, asyncio.timeout(WAIT_S):
        call = source.subscribe(gather=MAX_GATHER)
        assert (await call.read()).WhichOneof("item") == "heartbeat"
        await clock.advance(MAX_GATHER.total_seconds() / 2)
        await source.append("ord_1", "Placed")
        await source.append("ord_1", "Confirmed")
        gathered = asyncio.ensure_future(next_batch(call))
        for _ in range(20):
            await source.stub.GetFeed(pb.GetFeedRequest())
        assert not gathered.done()
        await while_time_passes(clock, asyncio.wait({gathered}))
        assert [text_of(event) for event in await gathered] == ["Placed", "Confirmed"]
        call.cancel()


async def test_events_are_not_gathered_for_longer_than_a_heartbeat(databases: Databases) -> None:
    """A `gather` longer than a heartbeat is refused."""
    async with event_source(databases) as source:
        refused = await refusal(source.subscribe(gather=2 * MAX_GATHER).read())
        assert set(refused.bad_fields) == {"gather"}


async def test_a_drain_ends_subscriptions_and_says_where_to_resume(databases: Databases) -> None:
    """A drain ends streams with UNAVAILABLE, with the epoch and the position to resume at."""
    async with asyncio.timeout(WAIT_S), event_source(databases) as source:
        await source.append("ord_1", "Placed", "Confirmed")
        call = source.subscribe()
        assert len(await next_batch(call)) == 2
        ending = asyncio.ensure_future(refusal(_to_the_end(call)))
        source.tailer.stop_waiters()
        ended = await ending

    assert (ended.code, ended.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
    assert ended.facts["after_position"] == "2"
    async with event_source(databases) as successor, asyncio.timeout(WAIT_S):
        await successor.append("ord_1", "Fulfilled")
        call = successor.subscribe(after_position=2, epoch=ended.facts["epoch"])
        assert [event.position for event in await next_batch(call)] == [3]
        call.cancel()


async def _to_the_end(call: Any) -> None:
    while True:
        await call.read()
