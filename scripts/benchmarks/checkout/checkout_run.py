"""Runs the comparisons of `./scripts/bench checkout`, and prints each row as it is measured."""

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from enum import StrEnum
from pathlib import Path

from rich.console import Console

from discovery.clock import Clock
from scripts.benchmarks.checkout import baselines
from scripts.benchmarks.checkout.baselines import CheckoutBench
from scripts.benchmarks.checkout.checkout_report import CheckoutReport
from scripts.benchmarks.shared import machine
from scripts.benchmarks.shared.comparison import ComparisonPlan, ComparisonRow
from scripts.benchmarks.shared.demand import read_demand


class DatabaseKind(StrEnum):
    """The database of the suite and of its baseline."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


class Against(StrEnum):
    """What the suite is compared with."""

    FLOOR = "floor"
    PEERS = "peers"
    STORED = "stored"


async def run_checkouts(
    wanted: Sequence[tuple[Against, DatabaseKind]],
    plans: Mapping[Against, ComparisonPlan],
    stored: Sequence[int],
    folder: Path,
    *,
    rng: random.Random,
    clock: Clock,
    console: Console,
) -> CheckoutReport:
    """Run the wanted comparisons. Raises StartError, PeerMissingError and OrderFailedError."""
    before = machine.moment()
    found = []
    with console.status("reading baskets") as status:
        demand = await asyncio.to_thread(read_demand)
        for against, database in wanted:
            bench = CheckoutBench(folder, demand, plans[against], clock, rng, status.update)
            postgres = database is DatabaseKind.POSTGRES
            async with aclosing(_rows(against, bench, stored, postgres=postgres)) as rows:
                async for row in rows:
                    found.append(row)
                    _print_row(row, console)
    return CheckoutReport(found, machine.conditions(before, machine.moment()))


def _rows(
    against: Against, bench: CheckoutBench, stored: Sequence[int], *, postgres: bool
) -> AsyncGenerator[ComparisonRow]:
    match against:
        case Against.FLOOR:
            return baselines.with_floor(bench, postgres=postgres)
        case Against.PEERS:
            return baselines.with_peers(bench, postgres=postgres)
        case Against.STORED:
            return baselines.with_stored(bench, stored, postgres=postgres)


def _print_row(row: ComparisonRow, console: Console) -> None:
    console.print(
        f"{row.name}: {row.ours.orders_per_s.median:,.0f} orders/s,"
        f" {row.ratio.median:.2f} of {row.baseline.orders_per_s.median:,.0f}"
    )
