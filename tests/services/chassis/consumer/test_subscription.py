"""A subscription applies a feed in order and exactly once, despite crashes and failures."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection
from tradepost.event.v1.event_pb2 import Event

from discovery.clock import SystemClock
from services.chassis.consumer.consumer_lease import LEASE_KIND
from services.chassis.consumer.inbox import ConsumerPosition
from services.chassis.store.database import StoreUnavailableError
from services.chassis.telemetry import correlation
from services.chassis.work.lease import Claim
from tests.support.chassis.event_consumer import NAME, Notebook, consumer, while_time_passes
from tests.support.chassis.event_source import Source, event_source, type_named
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases

SUBJECT = f"{LEASE_KIND}/{NAME}"


@pytest.fixture
async def source(databases: Databases) -> AsyncIterator[Source]:
    """The service whose feed is consumed."""
    async with event_source(databases) as opened:
        yield opened


async def test_a_feed_is_applied_in_order(source: Source, databases: Databases) -> None:
    """Existing and new events are applied, and the position is stored with them."""
    await source.append("ord_1", "Placed", "Confirmed")
    await source.append("ord_2", "Placed")
    async with consumer(databases, source.channel) as one, asyncio.timeout(WAIT_S):
        await one.wait_for_position(3)
        await source.append("ord_1", "Fulfilled")
        await one.wait_for_position(4)

        assert await one.notes() == {
            "ord_1": ["Placed", "Confirmed", "Fulfilled"],
            "ord_2": ["Placed"],
        }
        reached = await one.position()
        assert reached is not None
        assert (reached.position, one.notebook.tried, one.notebook.written) == (4, 4, 4)


async def test_a_restart_goes_on_where_it_was(source: Source, databases: Databases) -> None:
    """After a restart, no event is applied again and none is skipped."""
    await source.append("ord_1", "Placed", "Confirmed")
    async with consumer(databases, source.channel) as one, asyncio.timeout(WAIT_S):
        await one.wait_for_position(2)
        await one.drain()
    await source.append("ord_1", "Fulfilled")
    async with consumer(databases, source.channel, owner="again") as one, asyncio.timeout(WAIT_S):
        await one.wait_for_position(3)
        assert one.notebook.tried == 1
        assert await one.notes() == {"ord_1": ["Placed", "Confirmed", "Fulfilled"]}


async def test_only_requested_types_are_delivered(source: Source, databases: Databases) -> None:
    """Only events of the requested types are delivered; heartbeats move the position on."""
    await source.append("ord_1", "Placed", "Confirmed", "Fulfilled")
    types = (type_named("Confirmed"),)
    async with consumer(databases, source.channel, types=types) as one, asyncio.timeout(WAIT_S):
        await one.wait_for_position(3)
        assert await one.notes() == {"ord_1": ["Confirmed"]}


async def test_instances_share_the_work(source: Source, databases: Databases) -> None:
    """One instance applies events; when it drains, another continues at once."""
    async with (
        consumer(databases, source.channel) as one,
        consumer(databases, source.channel, owner="second", started=False) as two,
        asyncio.timeout(WAIT_S),
    ):
        await source.append("ord_1", "Placed")
        await one.wait_for_position(1)
        two.start()
        await source.append("ord_1", "Confirmed")
        await one.wait_for_position(2)
        await one.drain()
        await source.append("ord_1", "Fulfilled")
        await two.wait_for_position(3)

        assert (one.notebook.tried, two.notebook.tried) == (2, 1)
        assert await two.notes() == {"ord_1": ["Placed", "Confirmed", "Fulfilled"]}


async def test_another_instance_takes_over_after_a_crash(
    source: Source, databases: Databases
) -> None:
    """After a crash, another instance takes over when the lease has expired."""
    clock = ManualClock()
    async with (
        consumer(databases, source.channel, clock=clock) as one,
        consumer(databases, source.channel, clock=clock, owner="second", started=False) as two,
        asyncio.timeout(WAIT_S),
    ):
        await source.append("ord_1", "Placed")
        await one.wait_for_position(1)
        await one.crash()
        await source.append("ord_1", "Confirmed")
        two.start()
        await while_time_passes(clock, two.wait_for_position(2))

        # The sum of many small steps is not exact.
        assert round(clock.monotonic(), 3) >= two.leases.lease_s
        assert await two.notes() == {"ord_1": ["Placed", "Confirmed"]}


async def test_a_holder_that_lost_the_lease_writes_nothing(
    source: Source, databases: Databases
) -> None:
    """A holder whose lease was taken writes nothing, as the lease is checked in its transaction."""
    async with consumer(databases, source.channel) as one, asyncio.timeout(WAIT_S):
        await source.append("ord_1", "Placed")
        await one.wait_for_position(1)
        taken: Claim = await one.database.write(one.leases.open, SUBJECT, LEASE_KIND)
        one.committed.clear()
        await source.append("ord_1", "Confirmed")
        # Its batch fails; its only COMMIT is the release, which ignores a stale claim.
        await one.committed.wait()
        assert await one.notes() == {"ord_1": ["Placed"]}
        await one.database.write(one.leases.release, taken)
        await one.wait_for_position(2)

        assert await one.notes() == {"ord_1": ["Placed", "Confirmed"]}


async def test_a_store_that_is_away_only_delays(source: Source, databases: Databases) -> None:
    """If the store is unavailable, the batch is retried and nothing is parked."""
    notebook = Notebook(failures=[StoreUnavailableError("away") for _ in range(5)])
    clock = ManualClock()
    await source.append("ord_1", "Placed", "Confirmed")
    async with (
        consumer(databases, source.channel, notebook=notebook, clock=clock) as one,
        asyncio.timeout(WAIT_S),
    ):
        await while_time_passes(clock, one.wait_for_position(2))

        assert await one.notes() == {"ord_1": ["Placed", "Confirmed"]}
        assert (notebook.tried, await one.parked()) == (7, [])


async def test_a_handler_runs_under_the_correlation_of_the_event(
    source: Source, databases: Databases
) -> None:
    """A handler runs under the event's correlation and trace, with the event as the cause."""
    seen: list[correlation.Correlation] = []

    def listen(_: Connection, event: Event) -> None:
        seen.append(correlation.current())

    token = correlation.bind(correlation.Correlation("basket-7", "evt_0", "00-1-2-01"))
    (stored,) = await source.append("ord_1", "Placed")
    token.var.reset(token)
    notebook = Notebook(before=listen)
    async with (
        consumer(databases, source.channel, notebook=notebook) as one,
        asyncio.timeout(WAIT_S),
    ):
        await one.wait_for_position(1)

    assert seen == [correlation.Correlation("basket-7", stored.event_id, "00-1-2-01")]


async def test_a_new_epoch_begins_at_zero(source: Source, databases: Databases) -> None:
    """In a new epoch, all events are delivered again, and old parked events are dropped."""
    notebook = Notebook(unwritable={"Unwritable"})
    await source.append("ord_1", "Placed")
    await source.append("ord_2", "Unwritable", "Confirmed")
    async with (
        consumer(databases, source.channel, notebook=notebook) as one,
        asyncio.timeout(WAIT_S),
    ):
        await one.wait_for_position(3)
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
    """After a move to position 0, all events are delivered again without new effects."""
    notebook = Notebook(unwritable={"Unwritable"})
    await source.append("ord_1", "Placed", "Confirmed")
    await source.append("ord_2", "Placed", "Unwritable", "Late")
    async with (
        consumer(databases, source.channel, notebook=notebook) as one,
        asyncio.timeout(WAIT_S),
    ):
        await one.wait_for_position(5)
        before = (await one.notes(), await one.parked())
        reached = await one.position()
        assert reached is not None
        await one.database.write(one.subscription.inbox.move, ConsumerPosition(reached.epoch, 0))
        await source.append("ord_3", "Placed")
        await one.wait_for_position(6)

        assert (await one.notes()).pop("ord_3") == ["Placed"]
        notes = await one.notes()
        del notes["ord_3"]
        assert (notes, await one.parked()) == before


async def test_a_silent_feed_is_subscribed_to_again(databases: Databases) -> None:
    """If a feed sends nothing, not even heartbeats, the consumer opens a new stream."""
    frozen, clock = ManualClock(), ManualClock()
    async with (
        event_source(databases, clock=frozen) as source,
        consumer(databases, source.channel, clock=clock) as one,
        asyncio.timeout(WAIT_S),
    ):
        await source.append("ord_1", "Placed")
        await while_time_passes(clock, one.wait_for_position(1))
        # Another instance writes it, and the frozen server does not poll.
        async with event_source(databases, owner="second") as second:
            await second.append("ord_1", "Confirmed")
        await while_time_passes(clock, one.wait_for_position(2))
        assert await one.notes() == {"ord_1": ["Placed", "Confirmed"]}


async def test_events_lag_little_behind(source: Source, databases: Databases) -> None:
    """A burst of events from several writers is applied completely, in order per aggregate."""
    async with (
        consumer(databases, source.channel, clock=SystemClock()) as one,
        asyncio.timeout(WAIT_S),
        asyncio.TaskGroup() as group,
    ):
        for number in range(50):
            group.create_task(source.append(f"ord_{number}", "Placed", "Confirmed", "Fulfilled"))
        await one.wait_for_position(150)
        assert await one.notes() == {
            f"ord_{number}": ["Placed", "Confirmed", "Fulfilled"] for number in range(50)
        }
