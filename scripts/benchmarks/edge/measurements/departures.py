"""An instance of three is killed or drained under load, with all ways to find one at once.

Before each departure every way opens a new channel and reaches all instances, so that each time
everybody has the same to lose: DNS would learn of a restarted instance late or never.
"""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts.benchmarks.discovery.bench import DiscoveryBench, MeasurementConditions, codes_of
from scripts.benchmarks.discovery.load import OK, LoadResult
from scripts.benchmarks.discovery.row import REPORT, DiscoveryRow, Target
from scripts.benchmarks.edge.edge_rows import row_of_way
from scripts.benchmarks.edge.measured_edge import INSTANCES, MeasuredEdge
from scripts.benchmarks.edge.ways import WAYS

TIMES = 5
RATE_PER_S = 100.0
# How long calls go on before a departure, and after it.
BEFORE_S = 1.0
AFTER_S = 4.0


@dataclass(frozen=True, slots=True)
class Departure:
    """The calls of each way around the instant at which an instance was signalled."""

    signalled_s: float
    turns: Mapping[str, LoadResult]

    def failing_s(self, way: str) -> float:
        """The time from the signal to the end of the last call that failed; 0 if none did."""
        ends = [due + took for due, took, code in self.turns[way].ended if code != OK]
        return max(0.0, max(ends, default=0.0) - self.signalled_s)


async def kill(
    bench: DiscoveryBench, edge: MeasuredEdge, *, times: int = TIMES
) -> Sequence[DiscoveryRow]:
    """How long calls fail after `kill -9`, and how many."""
    measured = MeasurementConditions()
    found = [await _departure(bench, edge, n, signal.SIGKILL) for n in range(times)]
    conditions = _conditions(measured, found)
    title = f"{times} x `kill -9`"
    longest = [
        row_of_way(
            f"{title}: the longest time until no call failed, s",
            way,
            max(one.failing_s(way) for one in found),
            Target(most=1.0),
            conditions,
        )
        for way in WAYS
    ]
    return [*longest, *_failed(title, found, REPORT, conditions)]


async def drain(
    bench: DiscoveryBench, edge: MeasuredEdge, *, times: int = TIMES
) -> Sequence[DiscoveryRow]:
    """How many calls fail while an instance that got SIGTERM drains and ends."""
    measured = MeasurementConditions()
    found = [await _departure(bench, edge, n, signal.SIGTERM) for n in range(times)]
    return _failed(f"{times} drains", found, Target(most=0), _conditions(measured, found))


async def _departure(
    bench: DiscoveryBench, edge: MeasuredEdge, number: int, how: signal.Signals
) -> Departure:
    """Signal one instance under load, and start it again afterwards."""
    clients = edge.clients.values()
    await asyncio.gather(*(client.open() for client in clients))
    known = await edge.suite.instances("order")
    victim = edge.orders[number % INSTANCES]
    await asyncio.gather(*(client.start(rate_per_s=RATE_PER_S) for client in clients))
    await bench.clock.sleep(BEFORE_S)
    signalled_s = bench.clock.monotonic()
    await victim.stop(how)
    await bench.clock.sleep(AFTER_S)
    turns = {client.way: await client.stop() for client in clients}
    await victim.start()
    replaced = [instance for instance in known if instance.instance_id == victim.name]
    await edge.suite.wait_registered(replaced=replaced)
    return Departure(signalled_s, turns)


def _failed(
    title: str, found: Sequence[Departure], target: Target, conditions: dict[str, object]
) -> Sequence[DiscoveryRow]:
    least = min(sum(one.turns[way].calls for one in found) for way in WAYS)
    return [
        row_of_way(
            f"{title}: failed calls of {least:,} or more",
            way,
            sum(one.turns[way].failed for one in found),
            target,
            conditions,
        )
        for way in WAYS
    ]


def _conditions(measured: MeasurementConditions, found: Sequence[Departure]) -> dict[str, object]:
    return measured.describe(
        rate_per_s=RATE_PER_S,
        window=f"{BEFORE_S:g} s before and {AFTER_S:g} s after each departure",
        codes=codes_of({way: [one.turns[way] for one in found] for way in WAYS}),
        slowest_ms={
            way: max(max(one.turns[way].latencies_ms, default=0.0) for one in found) for way in WAYS
        },
        instances=INSTANCES,
    )
