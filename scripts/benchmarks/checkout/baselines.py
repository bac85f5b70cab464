"""What checkouts are compared with: the floor, fewer stored orders, and other engines.

In each comparison the contenders run at the same time, on the same kind of database.
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
from scripts.benchmarks.shared.comparison import (
    ComparisonClaim,
    ComparisonPlan,
    ComparisonRow,
    compare,
)
from scripts.benchmarks.shared.contender import Contender
from scripts.benchmarks.shared.demand import Demand
from scripts.benchmarks.shared.peer_environment import ensure_installed
from scripts.benchmarks.stored.prefilled_suite import SuiteKind, open_prefilled_suite

FLOOR_TARGET = 0.7
STORED_TARGET = 0.9
PEER_TARGET = 5.0


@dataclass(frozen=True, slots=True)
class CheckoutBench:
    """What every comparison needs; logs and databases are kept in `folder`.

    `show_progress` is called with a text when the next thing begins.
    """

    folder: Path
    demand: Demand
    plan: ComparisonPlan
    clock: Clock
    rng: random.Random
    show_progress: Callable[[str], None]

    async def compare(
        self, contenders: Sequence[Contender], claims: Sequence[ComparisonClaim]
    ) -> AsyncGenerator[ComparisonRow]:
        """The rows of the claims. Raises OrderFailedError."""
        self.show_progress("placing orders")
        async for row in compare(
            contenders, claims, self.demand, self.plan, clock=self.clock, rng=self.rng
        ):
            yield row

    async def suite(self, stack: AsyncExitStack, kind: SuiteKind, name: str = "suite") -> Contender:
        """Our suite, open until `stack` is closed. Raises StartError and OrderFailedError."""
        stored = f" with {kind.stored:,} orders stored" if kind.stored else ""
        self.show_progress(f"starting the suite on {kind.database}{stored}")
        folder = self.folder / f"suite-{kind.database}-{kind.stored}"
        running = await stack.enter_async_context(
            open_prefilled_suite(folder, self.demand, kind, clock=self.clock, rng=self.rng)
        )
        return running.contender(name)


async def with_floor(bench: CheckoutBench, *, postgres: bool) -> AsyncGenerator[ComparisonRow]:
    """Compare with processes that make the calls and commits of a checkout and nothing else."""
    kind = SuiteKind(postgres)
    async with AsyncExitStack() as stack:
        bench.show_progress("starting the floor")
        running = await stack.enter_async_context(
            floor_cluster.running(bench.folder / f"floor-{kind.database}", postgres=postgres)
        )
        ours = await bench.suite(stack, kind)
        floor = await stack.enter_async_context(floor_cluster.as_contender(running))
        claim = ComparisonClaim(
            f"of the floor on {kind.database}", ours.name, floor.name, FLOOR_TARGET
        )
        async for row in bench.compare([ours, floor], [claim]):
            yield row


async def with_stored(
    bench: CheckoutBench, stored: Sequence[int], *, postgres: bool
) -> AsyncGenerator[ComparisonRow]:
    """Compare suites with more stored orders with the one that has the fewest."""
    async with AsyncExitStack() as stack:
        contenders = [
            await bench.suite(stack, SuiteKind(postgres, number), f"{number:,} stored")
            for number in sorted(stored)
        ]
        database = SuiteKind(postgres).database
        claims = [
            ComparisonClaim(
                f"{one.name} on {database}", one.name, contenders[0].name, STORED_TARGET
            )
            for one in contenders[1:]
        ]
        async for row in bench.compare(contenders, claims):
            yield row


async def with_peers(bench: CheckoutBench, *, postgres: bool) -> AsyncGenerator[ComparisonRow]:
    """Compare with a saga of four empty steps on other engines. Raises PeerMissingError."""
    kind = SuiteKind(postgres)
    async with AsyncExitStack() as stack:
        bench.show_progress("starting the peers")
        python = await asyncio.to_thread(ensure_installed, "peers")
        folder = bench.folder / f"dbos-{kind.database}"
        peers = [
            await stack.enter_async_context(engines.dbos(python, folder, postgres=postgres)),
            await stack.enter_async_context(engines.temporal(python, bench.folder / "temporal")),
        ]
        ours = await bench.suite(stack, kind)
        claims = [
            ComparisonClaim(
                f"of {peer.name}, ours on {kind.database}", ours.name, peer.name, PEER_TARGET
            )
            for peer in peers
        ]
        async for row in bench.compare([ours, *peers], claims):
            yield row
