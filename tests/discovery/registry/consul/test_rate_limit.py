"""A burst passes, then one at a time."""

import asyncio

from discovery.registry.consul.rate_limit import TokenBucket
from tests.support.clock.manual_clock import ManualClock


async def test_a_burst_passes_and_then_the_rate_holds() -> None:
    """With burst 2 and 1 per second, six takes pass at 0, 0, 1, 2, 3 and 4 s."""
    clock = ManualClock()
    bucket = TokenBucket(burst=2, refill_per_s=1.0, clock=clock)
    taken_at = []

    async def take_six() -> None:
        for _ in range(6):
            await bucket.take()
            taken_at.append(round(clock.monotonic(), 6))

    taking = asyncio.create_task(take_six())
    await clock.advance(10)
    await taking
    assert taken_at == [0, 0, 1, 2, 3, 4]


async def test_a_charge_delays_the_next_take() -> None:
    """A charge of three tokens delays the next take by their time, whatever the burst."""
    clock = ManualClock()
    bucket = TokenBucket(burst=2, refill_per_s=1.0, clock=clock)
    await bucket.take()
    bucket.charge(3)
    waiting = asyncio.create_task(bucket.take())
    await clock.advance(2.9)
    assert not waiting.done()
    await clock.advance(0.1)
    assert waiting.done()


async def test_a_pause_refills_no_more_than_a_burst() -> None:
    """After an hour there are two tokens, not thousands."""
    clock = ManualClock()
    bucket = TokenBucket(burst=2, refill_per_s=1.0, clock=clock)
    await clock.advance(3600)
    await bucket.take()
    await bucket.take()
    waiting = asyncio.create_task(bucket.take())
    await clock.advance(0.5)
    assert not waiting.done()
    await clock.advance(0.5)
    assert waiting.done()
