"""Processor time of an idle client with a thousand instances, some of which come and go."""

import asyncio
import time
from collections.abc import Sequence

import discovery
from scripts.benchmarks.discovery.backends import fleet
from scripts.benchmarks.discovery.bench import DiscoveryBench, MeasurementConditions
from scripts.benchmarks.discovery.programs.launch import line_of, program
from scripts.benchmarks.discovery.row import DiscoveryRow, Target
from scripts.benchmarks.shared.medians import estimate_median
from scripts.suite.consul import ConsulAgent

NUMBER = 1_000
CHANGES_PER_S = 10.0
WINDOW_S = 60.0
SLICE_S = 5.0
SETTLED_TIMEOUT_S = 90.0


async def churn(
    bench: DiscoveryBench,
    *,
    number: int = NUMBER,
    window_s: float = WINDOW_S,
    slice_s: float = SLICE_S,
) -> Sequence[DiscoveryRow]:
    """The share of a core that this process takes while it is connected to all instances."""
    measured = MeasurementConditions()
    agent = ConsulAgent()
    await asyncio.to_thread(agent.start)
    try:
        async with fleet.running(bench.folder / "churn") as running:
            arguments = (agent.address, str(number), str(CHANGES_PER_S), *map(str, running.ports))
            with program("registration_churn", *arguments) as churner:
                await line_of(churner)
                async with discovery.open_channel(f"consul://{agent.address}/bench") as channel:
                    await _connected(channel, number)
                    busy = await _busy(bench, window_s, slice_s)
                    connected = len(channel.explain().instances)
    finally:
        await asyncio.to_thread(agent.kill)
    return [
        DiscoveryRow(
            f"{number:,} instances, {CHANGES_PER_S:g} changes a second: client CPU, cores",
            ours=estimate_median(busy),
            target=Target(most=0.05),
            conditions=measured.describe(
                unit="of a core",
                concurrency=0,
                rate_per_s=0,
                changes_per_s=CHANGES_PER_S,
                deadline_s=None,
                window=f"{window_s:g} s in slices of {slice_s:g} s",
                codes={},
                instances=connected,
                mean=sum(busy) / len(busy),
            ),
        )
    ]


async def _connected(channel: discovery.Channel, number: int) -> None:
    """Return once nearly all instances are READY: a few are always deregistered."""
    async with asyncio.timeout(SETTLED_TIMEOUT_S):
        while sum(one.state == "READY" for one in channel.explain().instances) < 0.99 * number:
            await channel.settled()
            await asyncio.sleep(0)


async def _busy(bench: DiscoveryBench, window_s: float, slice_s: float) -> Sequence[float]:
    """The share of a core that this process took, for each slice of time."""
    busy = []
    for _ in range(int(window_s / slice_s)):
        began_s, cpu_s = bench.clock.monotonic(), time.process_time()
        await bench.clock.sleep(slice_s)
        busy.append((time.process_time() - cpu_s) / (bench.clock.monotonic() - began_s))
    return busy
