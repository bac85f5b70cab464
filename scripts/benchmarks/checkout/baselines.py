"""What checkouts are compared with: the floor, fewer stored orders, and peers.

Each comparison has its contenders run side by side, on one database, for as long as it takes.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from discovery.clock import Clock
from scripts.benchmarks.floor import floor_cluster
from scripts.benchmarks.peers import engines
from scripts.benchmarks.shared import measured_suite
from scripts.benchmarks.shared.comparison import Claim, ComparisonPlan, ComparisonRow, rows
from scripts.benchmarks.shared.contender import Contender
from scripts.benchmarks.shared.demand import Demand
from scripts.benchmarks.shared.measured_suite import Kind

FLOOR_TARGET = 0.7
STORED_TARGET = 0.9
PEER_TARGET = 5.0


@dataclass(frozen=True, slots=True)
class CheckoutBench:
    """What every comparison works with; it keeps logs and databases in `folder`."""

    folder: Path
    demand: Demand
    plan: ComparisonPlan
    clock: Clock
    rng: random.Random
    tell: Callable[[str], None]

    async def compare(
        self, contenders: Sequence[Contender], claims: Sequence[Claim]
    ) -> AsyncGenerator[ComparisonRow]:
        """The rows of the claims. Raises OrderFailedError."""
        self.tell("placing orders")
        async for row in rows(
            contenders, claims, self.demand, self.plan, clock=self.clock, rng=self.rng
        ):
            yield row

    async def suite(self, stack: AsyncExitStack, kind: Kind, name: str = "suite") -> Contender:
        """Ours, for as long as `stack`. Raises StartError."""
        what = f" with {kind.stored:,} orders stored" if kind.stored else ""
        self.tell(f"starting the suite on {kind.database}{what}")
        folder = self.folder / f"suite-{kind.database}-{kind.stored}"
        running = await stack.enter_async_context(
            measured_suite.opened(folder, self.demand, kind, clock=self.clock, rng=self.rng)
        )
        return running.contender(name)


async def with_floor(bench: CheckoutBench, *, postgres: bool) -> AsyncGenerator[ComparisonRow]:
    """The same calls and commits with nothing else: what no way of doing a checkout could save."""
    kind = Kind(postgres)
    async with AsyncExitStack() as stack:
        bench.tell("starting the floor")
        skeletons = await stack.enter_async_context(
            floor_cluster.running(bench.folder / f"floor-{kind.database}", postgres=postgres)
        )
        ours = await bench.suite(stack, kind)
        floor = await stack.enter_async_context(floor_cluster.called(skeletons))
        claim = Claim(f"of the floor on {kind.database}", ours.name, floor.name, FLOOR_TARGET)
        async for row in bench.compare([ours, floor], [claim]):
            yield row


async def with_stored(
    bench: CheckoutBench, stored: Sequence[int], *, postgres: bool
) -> AsyncGenerator[ComparisonRow]:
    """More and more orders stored before, against the fewest."""
    async with AsyncExitStack() as stack:
        contenders = [
            await bench.suite(stack, Kind(postgres, number), f"{number:,} stored")
            for number in sorted(stored)
        ]
        database = Kind(postgres).database
        claims = [
            Claim(
                f"{contender.name} on {database}", contender.name, contenders[0].name, STORED_TARGET
            )
            for contender in contenders[1:]
        ]
        async for row in bench.compare(contenders, claims):
            yield row


async def with_peers(bench: CheckoutBench, *, postgres: bool) -> AsyncGenerator[ComparisonRow]:
    """The same saga on engines of others, four steps that do nothing. Raises PeerMissingError."""
    kind = Kind(postgres)
    async with AsyncExitStack() as stack:
        bench.tell("starting the peers")
        python = await asyncio.to_thread(engines.ensure_installed)
        folder = bench.folder / f"dbos-{kind.database}"
        others = [
            await stack.enter_async_context(engines.dbos(python, folder, postgres=postgres)),
            await stack.enter_async_context(engines.temporal(python, bench.folder / "temporal")),
        ]
        ours = await bench.suite(stack, kind)
        claims = [
            Claim(f"of {other.name}, ours on {kind.database}", ours.name, other.name, PEER_TARGET)
            for other in others
        ]
        async for row in bench.compare([ours, *others], claims):
            yield row
