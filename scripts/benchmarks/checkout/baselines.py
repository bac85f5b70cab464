"""What checkouts are compared with: the floor, fewer stored orders, other engines and revisions.

In each comparison the contenders run at the same time, on the same kind of database. Once it is
measured, the statements of our suites are counted.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
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
from scripts.benchmarks.shared.measured_suite import MeasuredSuite
from scripts.benchmarks.shared.peer_environment import ensure_installed
from scripts.benchmarks.statements.counted_turns import StatementRow, count_statements
from scripts.benchmarks.stored.prefilled_suite import SuiteKind, open_prefilled_suite
from scripts.releases.revision_checkout import ensure_set_up
from scripts.suite.processes.slot import UNSHARED

FLOOR_TARGET = 0.7
STORED_TARGET = 0.9
PEER_TARGET = 5.0
# A revision that is slower by less than a twentieth is as good, for what a run can tell.
REVISION_TARGET = 0.95
SUITE = "suite"


@dataclass(frozen=True, slots=True)
class CheckoutBench:
    """What every comparison needs; logs and databases are kept in `folder`.

    `show_progress` is called with a text when the next thing begins. Counts of statements are added
    to `statements`.
    """

    folder: Path
    demand: Demand
    plan: ComparisonPlan
    clock: Clock
    rng: random.Random
    show_progress: Callable[[str], None]
    statements: list[StatementRow]

    async def compare(
        self, contenders: Sequence[Contender], claims: Sequence[ComparisonClaim]
    ) -> AsyncGenerator[ComparisonRow]:
        """The rows of the claims. Raises OrderFailedError."""
        self.show_progress("placing orders")
        async for row in compare(
            contenders, claims, self.demand, self.plan, clock=self.clock, rng=self.rng
        ):
            yield row

    async def suite(self, stack: AsyncExitStack, kind: SuiteKind) -> MeasuredSuite:
        """Our suite, open until `stack` is closed. Raises StartError and OrderFailedError."""
        stored = f" with {kind.stored:,} orders stored" if kind.stored else ""
        self.show_progress(f"starting the suite on {kind.database}{stored}")
        whose = kind.installation
        part = str(kind.stored) if whose == UNSHARED else f"at-{whose.root.name}"
        folder = self.folder / f"suite-{kind.database}-{part}"
        return await stack.enter_async_context(
            open_prefilled_suite(folder, self.demand, kind, clock=self.clock, rng=self.rng)
        )

    async def count(self, suite: MeasuredSuite, title: str) -> None:
        """Count the statements of a suite, unless a suite of this title was counted before.

        It can't be measured afterwards. Raises StartError and OrderFailedError.
        """
        known = [row.concurrency for row in self.statements if row.suite == title]
        left = [one for one in self.plan.concurrencies if one not in known]
        if not left:
            return
        self.show_progress(f"counting the statements of the {title}")
        plan = replace(self.plan, concurrencies=left)
        counting = count_statements(suite, title, self.demand, plan, clock=self.clock, rng=self.rng)
        async for row in counting:
            self.statements.append(row)


async def with_floor(bench: CheckoutBench, *, postgres: bool) -> AsyncGenerator[ComparisonRow]:
    """Compare with processes that make the calls and commits of a checkout and nothing else."""
    kind = SuiteKind(postgres)
    async with AsyncExitStack() as stack:
        bench.show_progress("starting the floor")
        running = await stack.enter_async_context(
            floor_cluster.running(bench.folder / f"floor-{kind.database}", postgres=postgres)
        )
        suite = await bench.suite(stack, kind)
        floor = await stack.enter_async_context(floor_cluster.as_contender(running))
        claim = ComparisonClaim(f"of the floor on {kind.database}", SUITE, floor.name, FLOOR_TARGET)
        async for row in bench.compare([suite.contender(SUITE), floor], [claim]):
            yield row
        await bench.count(suite, f"{SUITE} on {kind.database}")


async def with_stored(
    bench: CheckoutBench, stored: Sequence[int], *, postgres: bool
) -> AsyncGenerator[ComparisonRow]:
    """Compare suites with more stored orders with the one that has the fewest."""
    async with AsyncExitStack() as stack:
        suites = {
            f"{number:,} stored": await bench.suite(stack, SuiteKind(postgres, number))
            for number in sorted(stored)
        }
        contenders = [suite.contender(name) for name, suite in suites.items()]
        database = SuiteKind(postgres).database
        claims = [
            ComparisonClaim(
                f"{one.name} on {database}", one.name, contenders[0].name, STORED_TARGET
            )
            for one in contenders[1:]
        ]
        async for row in bench.compare(contenders, claims):
            yield row
        for name, suite in suites.items():
            await bench.count(suite, f"{SUITE} with {name} on {database}")


async def with_revision(
    bench: CheckoutBench, commit: str, *, postgres: bool
) -> AsyncGenerator[ComparisonRow]:
    """Compare with the services of another commit. Raises RevisionError.

    They are started as ours are, with our Consul, database server and settings, and called by our
    client: only what they run differs.
    """
    bench.show_progress(f"setting up {commit}, about a minute when it is new")
    installation = await asyncio.to_thread(ensure_set_up, commit)
    kind = SuiteKind(postgres)
    async with AsyncExitStack() as stack:
        suites = {
            SUITE: await bench.suite(stack, kind),
            f"at {commit}": await bench.suite(stack, replace(kind, installation=installation)),
        }
        ours, other = [suite.contender(name) for name, suite in suites.items()]
        claim = ComparisonClaim(
            f"of {commit} on {kind.database}",
            ours.name,
            other.name,
            REVISION_TARGET,
            repeat_ours=True,
        )
        async for row in bench.compare([ours, other], [claim]):
            yield row
        for name, suite in suites.items():
            await bench.count(suite, f"{name} on {kind.database}")


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
        suite = await bench.suite(stack, kind)
        claims = [
            ComparisonClaim(
                f"of {peer.name}, ours on {kind.database}", SUITE, peer.name, PEER_TARGET
            )
            for peer in peers
        ]
        async for row in bench.compare([suite.contender(SUITE), *peers], claims):
            yield row
        await bench.count(suite, f"{SUITE} on {kind.database}")
