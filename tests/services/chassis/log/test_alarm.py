"""Time limits of many waits, kept by one task."""

import asyncio
import weakref

import pytest

from services.chassis.log.alarm import ENDED_MAX, Alarm
from tests.support.clock.manual_clock import ManualClock


def begin_wait(alarm: Alarm, timeout_s: float) -> tuple[asyncio.Future[None], asyncio.Task[None]]:
    woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    return woken, asyncio.create_task(alarm.wait(woken, timeout_s))


@pytest.mark.parametrize("limits_s", [(1.0, 2.0, 3.0), (3.0, 2.0, 1.0), (2.0, 3.0, 1.0)])
async def test_each_wait_ends_at_its_own_limit(limits_s: tuple[float, ...]) -> None:
    """A wait ends at its limit, in whichever order the waits began."""
    clock = ManualClock()
    alarm = Alarm(clock)
    waits = {limit_s: begin_wait(alarm, limit_s)[1] for limit_s in limits_s}
    ended = []
    for _ in range(3):
        await clock.advance(1.0)
        ended.append(sorted(limit_s for limit_s, wait in waits.items() if wait.done()))
    assert ended == [[1.0], [1.0, 2.0], [1.0, 2.0, 3.0]]


async def test_two_waits_with_one_limit_end_together() -> None:
    """Waits with the same limit end at the same instant."""
    clock = ManualClock()
    alarm = Alarm(clock)
    waits = [begin_wait(alarm, 0.1)[1] for _ in range(2)]
    await clock.advance(0.1)
    assert all(wait.done() for wait in waits)


async def test_a_wait_that_was_woken_does_not_keep_others_from_their_limits() -> None:
    """After the first wait is over, the second one still ends at its limit."""
    clock = ManualClock()
    alarm = Alarm(clock)
    woken, first = begin_wait(alarm, 1.0)
    _, second = begin_wait(alarm, 2.0)
    await clock.settle()
    woken.set_result(None)
    await first
    await clock.advance(1.5)
    assert not second.done()
    await clock.advance(0.5)
    assert second.done()


async def test_many_waits_share_one_task() -> None:
    """However many calls wait, one task sleeps, and none once nobody waits."""
    clock = ManualClock()
    alarm = Alarm(clock)
    waits = [begin_wait(alarm, 5.0) for _ in range(10)]
    await clock.settle()
    assert clock.sleeping == 1
    for woken, wait in waits:
        woken.set_result(None)
        await wait
    await clock.settle()
    assert clock.sleeping == 0


async def test_limits_of_ended_waits_are_forgotten() -> None:
    """Calls with deadlines of hours leave little behind while others wait."""
    alarm = Alarm(ManualClock())
    _, lasting = begin_wait(alarm, 7200.0)
    ended = []
    for _ in range(2 * ENDED_MAX):
        woken, wait = begin_wait(alarm, 3600.0)
        woken.set_result(None)
        await wait
        ended.append(weakref.ref(woken))
        del woken, wait
    assert sum(one() is not None for one in ended) <= ENDED_MAX + 10
    lasting.cancel()
