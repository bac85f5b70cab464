"""A feed is applied in order and exactly once, whatever happens around it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection
from tradepost.event.v1.event_pb2 import Event

from discovery.clock import SystemClock
from services.chassis.consumer.inbox import ConsumerPosition
from services.chassis.consumer.subscription import LEASE_KIND
from services.chassis.store.database import StoreUnavailableError
from services.chassis.telemetry import correlation
from services.chassis.work.lease import Claim
from tests.support.chassis.event_consumer import NAME, Notebook, consumer, while_time_passes
from tests.support.chassis.event_source import Source, event_source, type_named
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import Databases

WAIT_S = 60.0
SUBJECT = f"{LEASE_KIND}/{NAME}"


@pytest.fixture
async def source(databases: Databases) -> AsyncIterator[Source]:
    """A service whose feed is followed."""
    async with event_source(databases) as opened:
        yield opened


async def test_a_feed_is_applied_in_order(source: Source, databases: Databases) -> None:
    """What was there and what comes is applied, and the position is stored with it."""
    await source.append("ord_1", "Placed", "Confirmed")
    await source.append("ord_2", "Placed")
    async with consumer(databases, source.channel) as one, asyncio.timeout(WAIT_S):
        await one.reached(3)
        await source.append("ord_1", "Fulfilled")
        await one.reached(4)

        assert await one.notes() == {
            "ord_1": ["Placed", "Confirmed", "Fulfilled"],
            "ord_2": ["Placed"],
        }
        reached = await one.position()
        assert reached is not None
        assert (reached.position, one.notebook.tried, one.notebook.written) == (4, 4, 4)


async def test_a_restart_goes_on_where_it_was(source: Source, databases: Databases) -> None:
    """Nothing is applied again after an orderly end, and nothing is left out."""
    await source.append("ord_1", "Placed", "Confirmed")
    async with consumer(databases, source.channel) as one, asyncio.timeout(WAIT_S):
        await one.reached(2)
        await one.drain()
    await source.append("ord_1", "Fulfilled")
    async with consumer(databases, source.channel, owner="again") as one, asyncio.timeout(WAIT_S):
        await one.reached(3)
        assert one.notebook.tried == 1
        assert await one.notes() == {"ord_1": ["Placed", "Confirmed", "Fulfilled"]}


async def test_only_what_was_asked_for_is_delivered(source: Source, databases: Databases) -> None:
    """A filter spares a consumer what it doesn't need; heartbeats move it on all the same."""
    await source.append("ord_1", "Placed", "Confirmed", "Fulfilled")
    wanted = (type_named("Confirmed"),)
    async with consumer(databases, source.channel, types=wanted) as one, asyncio.timeout(WAIT_S):
        await one.reached(3)
        assert await one.notes() == {"ord_1": ["Confirmed"]}


async def test_instances_share_the_work(source: Source, databases: Databases) -> None:
    """One of them applies; when it leaves in order, another goes on without waiting."""
    async with (
        consumer(databases, source.channel) as one,
        consumer(databases, source.channel, owner="second", started=False) as two,
        asyncio.timeout(WAIT_S),
    ):
        await source.append("ord_1", "Placed")
        await one.reached(1)
        two.start()
        await source.append("ord_1", "Confirmed")
        await one.reached(2)
        await one.drain()
        await source.append("ord_1", "Fulfilled")
        await two.reached(3)

        assert (one.notebook.tried, two.notebook.tried) == (2, 1)
        assert await two.notes() == {"ord_1": ["Placed", "Confirmed", "Fulfilled"]}


async def test_the_lease_of_one_that_died_runs_out(source: Source, databases: Databases) -> None:
    """Nobody gave it back, so another instance waits for its end, and then takes over."""
    clock = ManualClock()
    async with (
        consumer(databases, source.channel, clock=clock) as one,
        consumer(databases, source.channel, clock=clock, owner="second", started=False) as two,
        asyncio.timeout(WAIT_S),
    ):
        await source.append("ord_1", "Placed")
        await one.reached(1)
        await one.crash()
        await source.append("ord_1", "Confirmed")
        two.start()
        await while_time_passes(clock, two.reached(2))

        # Many small steps don't add up to the last digit.
        assert round(clock.monotonic(), 3) >= two.leases.lease_s
        assert await two.notes() == {"ord_1": ["Placed", "Confirmed"]}


async def test_who_lost_the_lease_writes_nothing(source: Source, databases: Databases) -> None:
    """The token is checked in the transaction of the effects: a sleeper finds out in time."""
    async with consumer(databases, source.channel) as one, asyncio.timeout(WAIT_S):
        await source.append("ord_1", "Placed")
        await one.reached(1)
        taken: Claim = await one.database.write(one.leases.open, SUBJECT, LEASE_KIND)
        one.committed.clear()
        await source.append("ord_1", "Confirmed")
        # Its batch fails; what it commits then is only that it lets go of what it doesn't hold.
        await one.committed.wait()
        assert await one.notes() == {"ord_1": ["Placed"]}
        await one.database.write(one.leases.release, taken)
        await one.reached(2)

        assert await one.notes() == {"ord_1": ["Placed", "Confirmed"]}


async def test_a_store_that_is_away_only_delays(source: Source, databases: Databases) -> None:
    """A failure of the store is nobody's fault: the batch comes again, and nothing is parked."""
    notebook = Notebook(failures=[StoreUnavailableError("away") for _ in range(5)])
    clock = ManualClock()
    await source.append("ord_1", "Placed", "Confirmed")
    async with (
        consumer(databases, source.channel, notebook=notebook, clock=clock) as one,
        asyncio.timeout(WAIT_S),
    ):
        await while_time_passes(clock, one.reached(2))

        assert await one.notes() == {"ord_1": ["Placed", "Confirmed"]}
        assert (notebook.tried, await one.parked()) == (7, [])


async def test_effects_belong_to_the_story_of_the_event(
    source: Source, databases: Databases
) -> None:
    """What a handler appends names the event as its cause, and has its correlation and trace."""
    told: list[correlation.Correlation] = []

    def listen(_: Connection, event: Event) -> None:
        told.append(correlation.current())

    token = correlation.bind(correlation.Correlation("story", "evt_0", "00-1-2-01"))
    (stored,) = await source.append("ord_1", "Placed")
    token.var.reset(token)
    notebook = Notebook(before=listen)
    async with (
        consumer(databases, source.channel, notebook=notebook) as one,
        asyncio.timeout(WAIT_S),
    ):
        await one.reached(1)

    assert told == [correlation.Correlation("story", stored.event_id, "00-1-2-01")]


async def test_a_new_epoch_begins_at_zero(source: Source, databases: Databases) -> None:
    """After a restore every event is delivered again, and letters of the old log are gone."""
    notebook = Notebook(unwritable={"Unwritable"})
    await source.append("ord_1", "Placed")
    await source.append("ord_2", "Unwritable", "Confirmed")
    async with (
        consumer(databases, source.channel, notebook=notebook) as one,
        asyncio.timeout(WAIT_S),
    ):
        await one.reached(3)
        assert len(await one.parked()) == 2
        await source.execute("UPDATE event_counter SET epoch = 'restored'")
        notebook.unwritable.clear()
        await source.append("ord_1", "Fulfilled")
        while (reached := await one.position()) != ConsumerPosition("restored", 4):
            assert reached is not None
            one.committed.clear()
            await one.committed.wait()

        assert await one.parked() == []
        assert await one.notes() == {
            "ord_1": ["Placed", "Fulfilled"],
            "ord_2": ["Unwritable", "Confirmed"],
        }


async def test_a_rewind_changes_nothing(source: Source, databases: Databases) -> None:
    """Put back to zero under way, a consumer meets every event again: applied and parked alike."""
    notebook = Notebook(unwritable={"Unwritable"})
    await source.append("ord_1", "Placed", "Confirmed")
    await source.append("ord_2", "Placed", "Unwritable", "Late")
    async with (
        consumer(databases, source.channel, notebook=notebook) as one,
        asyncio.timeout(WAIT_S),
    ):
        await one.reached(5)
        before = (await one.notes(), await one.parked())
        reached = await one.position()
        assert reached is not None
        await one.database.write(one.subscription.inbox.move, ConsumerPosition(reached.epoch, 0))
        await source.append("ord_3", "Placed")
        await one.reached(6)

        assert (await one.notes()).pop("ord_3") == ["Placed"]
        notes = await one.notes()
        del notes["ord_3"]
        assert (notes, await one.parked()) == before


async def test_a_feed_that_falls_silent_is_asked_again(databases: Databases) -> None:
    """A server that is frozen says nothing, not even that it lives: the stream is given up."""
    frozen, clock = ManualClock(), ManualClock()
    async with (
        event_source(databases, clock=frozen) as source,
        consumer(databases, source.channel, clock=clock) as one,
        asyncio.timeout(WAIT_S),
    ):
        await source.append("ord_1", "Placed")
        await while_time_passes(clock, one.reached(1))
        # Somebody else's write: the frozen server's poll won't find it.
        async with event_source(databases, owner="second") as second:
            await second.append("ord_1", "Confirmed")
        await while_time_passes(clock, one.reached(2))
        assert await one.notes() == {"ord_1": ["Placed", "Confirmed"]}


async def test_events_lag_little_behind(source: Source, databases: Databases) -> None:
    """A burst of events of several writers is all applied, each aggregate in its order."""
    async with (
        consumer(databases, source.channel, clock=SystemClock()) as one,
        asyncio.timeout(WAIT_S),
        asyncio.TaskGroup() as group,
    ):
        for number in range(50):
            group.create_task(source.append(f"ord_{number}", "Placed", "Confirmed", "Fulfilled"))
        await one.reached(150)
        assert await one.notes() == {
            f"ord_{number}": ["Placed", "Confirmed", "Fulfilled"] for number in range(50)
        }
