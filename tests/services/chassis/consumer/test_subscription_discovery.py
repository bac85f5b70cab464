"""A consumer finds its feed through discovery, and misses no event while instances drain."""

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

import discovery
from discovery.clock import Clock, SystemClock
from discovery.registry.memory import MemoryRegistry
from tests.support.chassis.event_consumer import consumer, while_time_passes
from tests.support.chassis.event_source import NAME, event_source
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases


@pytest.fixture
def registry() -> MemoryRegistry:
    """The registry of the feed's instances."""
    return MemoryRegistry()


def a_channel(registry: MemoryRegistry, *, clock: Clock | None = None) -> discovery.Channel:
    return discovery.open_channel(
        f"memory:///{NAME}",
        watcher=registry,
        clock=clock or SystemClock(),
        rng=random.Random(7),
    )


async def test_subscribers_move_on_from_a_drained_instance(
    registry: MemoryRegistry, databases: Databases
) -> None:
    """While instances of the feed drain in turn, all events are applied once."""
    async with (
        a_channel(registry) as channel,
        AsyncExitStack() as first,
        AsyncExitStack() as second,
        asyncio.timeout(WAIT_S),
    ):
        one = await first.enter_async_context(event_source(databases, registrar=registry))
        two = await second.enter_async_context(
            event_source(databases, registrar=registry, owner="second")
        )
        follower = await second.enter_async_context(consumer(databases, channel))
        await one.append("ord_1", "Placed")
        await follower.wait_for_position(1)
        await first.aclose()
        await two.append("ord_1", "Confirmed")
        await follower.wait_for_position(2)
        three = await first.enter_async_context(
            event_source(databases, registrar=registry, owner="third")
        )
        await two.tailer.wait_position(2)
        two.tailer.stop_waiters()
        await three.append("ord_1", "Fulfilled")
        await follower.wait_for_position(3)

        assert follower.notebook.tried == 3
        assert await follower.notes() == {"ord_1": ["Placed", "Confirmed", "Fulfilled"]}


async def test_a_feed_that_is_not_there_yet_is_waited_for(
    registry: MemoryRegistry, databases: Databases
) -> None:
    """A consumer may start before its feed; it retries without end, with backoff."""
    clock = ManualClock()
    async with (
        a_channel(registry) as channel,
        consumer(databases, channel, clock=clock) as follower,
        asyncio.timeout(WAIT_S),
    ):
        # Some rounds fail: each claims the lease, asks the feed and releases the lease.
        for _ in range(5):
            follower.committed.clear()
            await while_time_passes(clock, follower.committed.wait())
        async with event_source(databases, registrar=registry) as source:
            await source.append("ord_1", "Placed")
            await while_time_passes(clock, follower.wait_for_position(1))
            assert await follower.notes() == {"ord_1": ["Placed"]}
