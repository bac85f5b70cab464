"""Calls that go on while one instance after the other is under_load."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from scripts.benchmarks.discovery.bench import DiscoveryBench
from scripts.benchmarks.discovery.load import LoadResult, Send, steady
from scripts.benchmarks.discovery.programs import fleet

# Longer than any run: the load ends when the last instance is back.
_WINDOW_S = 1_000.0


async def under_load(
    bench: DiscoveryBench,
    sends: Mapping[str, Send],
    strike: Callable[[int], Awaitable[None]],
    *,
    strikes: int,
    rate_per_s: float,
    back_s: float,
) -> Mapping[str, LoadResult]:
    """The calls of each, all at once at the same rate, while instances are under_load in turn.

    `strike` is told which one, and returns when it is back; all are whole for `back_s` before the
    next one.
    """
    over = asyncio.Event()
    async with asyncio.TaskGroup() as calling:
        load = {
            name: calling.create_task(
                steady(
                    send, rate_per_s=rate_per_s, window_s=_WINDOW_S, clock=bench.clock, until=over
                )
            )
            for name, send in sends.items()
        }
        for number in range(strikes):
            await bench.clock.sleep(back_s)
            await strike(number % fleet.INSTANCES)
        await bench.clock.sleep(back_s)
        over.set()
    return {name: task.result() for name, task in load.items()}
