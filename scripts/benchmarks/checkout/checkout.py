"""What checkouts are compared with: the floor, fewer stored orders, and peers.

Each comparison has its halves run side by side, on one database, for as long as it takes.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from discovery.clock import Clock
from scripts.benchmarks.floor import cluster
from scripts.benchmarks.peers import peers
from scripts.benchmarks.shared import suite
from scripts.benchmarks.shared.comparison import Claim, Plan, Row, rows
from scripts.benchmarks.shared.half import Half
from scripts.benchmarks.shared.orders import Demand
from scripts.benchmarks.shared.suite import Kind

FLOOR_TARGET = 0.7
STORED_TARGET = 0.9
PEER_TARGET = 5.0


@dataclass(frozen=True, slots=True)
class Bench:
    """What every comparison works with; it keeps logs and databases in `folder`."""

    folder: Path
    demand: Demand
    plan: Plan
    clock: Clock
    rng: random.Random
    tell: Callable[[str], None]

    async def compare(self, halves: Sequence[Half], claims: Sequence[Claim]) -> AsyncGenerator[Row]:
        """The rows of the claims. Raises OrderFailedError."""
        self.tell("placing orders")
        async for row in rows(
            halves, claims, self.demand, self.plan, clock=self.clock, rng=self.rng
        ):
            yield row

    async def suite(self, stack: AsyncExitStack, kind: Kind, name: str = "suite") -> Half:
        """Ours, for as long as `stack`. Raises StartError."""
        what = f" with {kind.stored:,} orders stored" if kind.stored else ""
        self.tell(f"starting the suite on {kind.database}{what}")
        folder = self.folder / f"suite-{kind.database}-{kind.stored}"
        running = await stack.enter_async_context(
            suite.opened(folder, self.demand, kind, clock=self.clock, rng=self.rng)
        )
        return running.half(name)


async def with_floor(bench: Bench, *, postgres: bool) -> AsyncGenerator[Row]:
    """The same calls and commits with nothing else: what no way of doing a checkout could save."""
    kind = Kind(postgres)
    async with AsyncExitStack() as stack:
        bench.tell("starting the floor")
        skeletons = await stack.enter_async_context(
            cluster.running(bench.folder / f"floor-{kind.database}", postgres=postgres)
        )
        ours = await bench.suite(stack, kind)
        floor = await stack.enter_async_context(cluster.called(skeletons))
        claim = Claim(f"of the floor on {kind.database}", ours.name, floor.name, FLOOR_TARGET)
        async for row in bench.compare([ours, floor], [claim]):
            yield row


async def with_stored(
    bench: Bench, stored: Sequence[int], *, postgres: bool
) -> AsyncGenerator[Row]:
    """More and more orders stored before, against the fewest."""
    async with AsyncExitStack() as stack:
        halves = [
            await bench.suite(stack, Kind(postgres, number), f"{number:,} stored")
            for number in sorted(stored)
        ]
        database = Kind(postgres).database
        claims = [
            Claim(f"{half.name} on {database}", half.name, halves[0].name, STORED_TARGET)
            for half in halves[1:]
        ]
        async for row in bench.compare(halves, claims):
            yield row


async def with_peers(bench: Bench, *, postgres: bool) -> AsyncGenerator[Row]:
    """The same saga on engines of others, four steps that do nothing. Raises PeerMissingError."""
    kind = Kind(postgres)
    async with AsyncExitStack() as stack:
        bench.tell("starting the peers")
        python = await asyncio.to_thread(peers.ensure_installed)
        folder = bench.folder / f"dbos-{kind.database}"
        others = [
            await stack.enter_async_context(peers.dbos(python, folder, postgres=postgres)),
            await stack.enter_async_context(peers.temporal(python, bench.folder / "temporal")),
        ]
        ours = await bench.suite(stack, kind)
        claims = [
            Claim(f"of {other.name}, ours on {kind.database}", ours.name, other.name, PEER_TARGET)
            for other in others
        ]
        async for row in bench.compare([ours, *others], claims):
            yield row
