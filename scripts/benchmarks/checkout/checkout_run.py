"""Runs the comparisons of `./scripts/bench checkout`, and prints each row as it is measured."""

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

from rich.console import Console

from discovery.clock import Clock
from scripts.benchmarks.checkout import baselines
from scripts.benchmarks.checkout.baseline_choice import Against, BaselineChoice, DatabaseKind
from scripts.benchmarks.checkout.baselines import CheckoutBench
from scripts.benchmarks.checkout.checkout_report import CheckoutReport
from scripts.benchmarks.shared import machine
from scripts.benchmarks.shared.comparison import ComparisonPlan, ComparisonRow
from scripts.benchmarks.shared.demand import read_demand
from scripts.benchmarks.statements.counted_turns import StatementRow
from scripts.releases.revision_checkout import commit_of


async def run_checkouts(
    wanted: Sequence[tuple[BaselineChoice, DatabaseKind]],
    plans: Mapping[Against, ComparisonPlan],
    stored: Sequence[int],
    folder: Path,
    *,
    rng: random.Random,
    clock: Clock,
    console: Console,
) -> CheckoutReport:
    """Run the wanted comparisons.

    Raises RevisionError, before anything is started if a revision names no commit; StartError,
    PeerMissingError and OrderFailedError.
    """
    commits = {one.revision: commit_of(one.revision) for one, _ in wanted if one.revision}
    before = machine.moment()
    found = []
    statements: list[StatementRow] = []
    with console.status("reading baskets") as status:
        demand = await asyncio.to_thread(read_demand)
        for choice, database in wanted:
            bench = CheckoutBench(
                folder, demand, plans[choice.against], clock, rng, status.update, statements
            )
            commit = commits.get(choice.revision, "")
            async with aclosing(_rows(choice.against, bench, stored, commit, database)) as rows:
                async for row in rows:
                    found.append(row)
                    _print_row(row, console)
    return CheckoutReport(found, machine.conditions(before, machine.moment()), statements)


def _rows(
    against: Against,
    bench: CheckoutBench,
    stored: Sequence[int],
    commit: str,
    database: DatabaseKind,
) -> AsyncGenerator[ComparisonRow]:
    postgres = database is DatabaseKind.POSTGRES
    match against:
        case Against.FLOOR:
            return baselines.with_floor(bench, postgres=postgres)
        case Against.PEERS:
            return baselines.with_peers(bench, postgres=postgres)
        case Against.STORED:
            return baselines.with_stored(bench, stored, postgres=postgres)
        case Against.OURS_AT:
            return baselines.with_revision(bench, commit, postgres=postgres)


def _print_row(row: ComparisonRow, console: Console) -> None:
    console.print(
        f"{row.name}: {row.ours.orders_per_s.median:,.0f} orders/s,"
        f" {row.ratio.median:.2f} of {row.baseline.orders_per_s.median:,.0f}"
    )
