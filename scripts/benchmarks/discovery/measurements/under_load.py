"""Calls at a steady rate while one instance after another is disrupted."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from scripts.benchmarks.discovery.backends import fleet
from scripts.benchmarks.discovery.bench import DiscoveryBench
from scripts.benchmarks.discovery.load import LoadResult, Send, steady

# Longer than any run: the load ends when the last instance is back.
_WINDOW_S = 1_000.0


async def disrupt_under_load(
    bench: DiscoveryBench,
    sends: Mapping[str, Send],
    disrupt: Callable[[int], Awaitable[None]],
    *,
    disruptions: int,
    rate_per_s: float,
    back_s: float,
) -> Mapping[str, LoadResult]:
    """Call through all stacks at the same rate, and disrupt one instance after another meanwhile.

    `disrupt` disrupts the instance with a number, and returns when it is back; before the next one,
    all instances are up for `back_s`. Returns the calls of each stack.
    """
    all_done = asyncio.Event()
    async with asyncio.TaskGroup() as calling:
        load = {
            name: calling.create_task(
                steady(
                    send,
                    rate_per_s=rate_per_s,
                    window_s=_WINDOW_S,
                    clock=bench.clock,
                    until=all_done,
                )
            )
            for name, send in sends.items()
        }
        for number in range(disruptions):
            await bench.clock.sleep(back_s)
            await disrupt(number % fleet.INSTANCES)
        await bench.clock.sleep(back_s)
        all_done.set()
    return {name: task.result() for name, task in load.items()}
