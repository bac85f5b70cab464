"""Orders are admitted in portions, so that faults meet a busy suite."""

import asyncio

from scripts.replay.order_gate import OrderGate
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S


async def test_no_order_begins_before_its_portion_is_opened() -> None:
    """Each opened portion admits its share of the orders, and the last one all."""
    clock, gate, inside = ManualClock(), OrderGate(orders=10, portions=3), list[int]()

    async def order(number: int) -> None:
        async with gate.admitted():
            inside.append(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(10):
            tasks.create_task(order(number))
        await clock.settle()
        counts = [len(inside)]
        for _ in range(3):
            await gate.open_portion()
            await clock.settle()
            counts.append(len(inside))
    assert counts == [0, 3, 7, 10]


async def test_a_share_is_reached_when_orders_have_ended() -> None:
    """A share is reached when so many orders have ended."""
    clock, gate, goes = ManualClock(), OrderGate(orders=4, portions=1), asyncio.Event()

    async def order() -> None:
        async with gate.admitted():
            await goes.wait()

    await gate.open_portion()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(order())
        reached = tasks.create_task(gate.wait_share(0.5))
        await clock.settle()
        assert not reached.done()
        goes.set()
    assert reached.done()


async def test_a_replay_without_orders_does_not_wait() -> None:
    """A replay without orders doesn't wait before its faults."""
    gate = OrderGate(orders=0, portions=2)
    await gate.open_portion()
    async with asyncio.timeout(WAIT_S):
        await gate.wait_share(0.6)
