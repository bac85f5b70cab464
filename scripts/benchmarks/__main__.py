"""`./scripts/bench`: the command line of the benchmarks."""

import asyncio
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from discovery.clock import SystemClock
from scripts.benchmarks.checkout.baseline_choice import (
    CHOICES,
    CONCURRENCIES,
    USUAL,
    BaselineChoice,
    DatabaseKind,
)
from scripts.benchmarks.checkout.checkout_run import run_checkouts
from scripts.benchmarks.coordination.coordination_run import run_coordination
from scripts.benchmarks.discovery import row as discovery_row
from scripts.benchmarks.discovery.bench import PAIRS, DiscoveryBench
from scripts.benchmarks.discovery.measurements.by_name import MEASUREMENTS
from scripts.benchmarks.discovery.row import DiscoveryRow
from scripts.benchmarks.discovery.table import table
from scripts.benchmarks.edge.edge_rows import tables_of
from scripts.benchmarks.edge.edge_run import ROUNDS, run_edge
from scripts.benchmarks.edge.measurements.edge_names import EDGE_MEASUREMENTS
from scripts.benchmarks.pages.pages_run import PagesPlan, run_pages
from scripts.benchmarks.retention.retention_run import RetentionPlan, run_retention
from scripts.benchmarks.running import chosen, console, exit_if_not_measured, report_of
from scripts.benchmarks.shared import machine
from scripts.benchmarks.shared.caveats import caveats
from scripts.benchmarks.shared.comparison import ComparisonPlan
from scripts.benchmarks.soak import soak_run
from scripts.benchmarks.soak.watched_soak import run_watched
from scripts.suite.processes import interruption
from scripts.tools.paths import ROOT, from_caller

FOLDER = ROOT / ".run" / "bench"
STORED = (1_000, 100_000, 1_000_000)
EXIT_BROKEN = 1


def _file(metavar: str, explanation: str) -> Any:
    """An option whose relative path is the caller's."""
    return typer.Option(parser=from_caller, metavar=metavar, help=explanation)


FIGURES = _file("FILE", "Also write the figures to FILE.")
LOGS = _file("FOLDER", "Keeps logs.")
DATA = _file("FOLDER", "Keeps logs and databases.")
AGAINST: Any = typer.Option(
    parser=BaselineChoice.parse,
    metavar=CHOICES,
    help="Compare with this only; may be repeated. REV is another commit of this repository: it is"
    " set up apart and runs beside the working tree. By default all but that.",
)

app = typer.Typer()
clock = SystemClock()


@app.callback()
def bench() -> None:
    """Measure the services, discovery, the edge and the pages; most of it next to a baseline."""


@app.command()
def checkout(
    against: Annotated[list[BaselineChoice] | None, AGAINST] = None,
    database: Annotated[
        list[DatabaseKind] | None, typer.Option(help="On this database only; may be repeated.")
    ] = None,
    concurrency: Annotated[
        list[int] | None, typer.Option(min=1, help="Orders at once; may be repeated.")
    ] = None,
    orders: Annotated[int, typer.Option(min=1, help="Orders of each turn.")] = 500,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; each has a turn of all.")] = 12,
    stored: Annotated[
        list[int] | None, typer.Option(min=1, help="Orders stored before; may be repeated.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Chooses ids and the order of turns. Stored orders must not have these ids yet.",
            show_default="a new one",
        ),
    ] = None,
    json: Annotated[
        Path | None, _file("FILE", "Write the figures to FILE, or add them to it.")
    ] = None,
    folder: Annotated[Path, DATA] = FOLDER,
) -> None:
    """Orders per second and latencies, against a floor, other engines, and fewer stored orders.

    Or against another revision of the services. Then, in turns of their own: statements, round
    trips and commits an order.
    """
    wanted = [(one, where) for one in against or USUAL for where in database or DatabaseKind]
    plans = {
        one: ComparisonPlan(concurrency or usual, orders, rounds)
        for one, usual in CONCURRENCIES.items()
    }
    running = run_checkouts(
        wanted,
        plans,
        stored or STORED,
        folder,
        rng=random.Random(seed),
        clock=clock,
        console=console,
    )
    report_of(running, json)


@app.command()
def coordination(
    concurrency: Annotated[
        list[int] | None, typer.Option(min=1, help="Orders at once; may be repeated.")
    ] = None,
    orders: Annotated[int, typer.Option(min=1, help="Orders of each turn.")] = 200,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of three turns.")] = 6,
    seed: Annotated[int, typer.Option(help="Chooses ids and the order of turns.")] = 1,
    json: Annotated[Path | None, FIGURES] = None,
    folder: Annotated[Path, DATA] = FOLDER,
) -> None:
    """Orchestrated and choreographed checkouts side by side, and the lag of the feeds."""
    plan = ComparisonPlan(concurrency or (1, 8, 32), orders, rounds)
    rng = random.Random(seed)
    report_of(run_coordination(plan, folder, rng=rng, clock=clock, console=console), json)


@app.command()
def soak(
    driver: Annotated[
        soak_run.Driver, typer.Option(help="The driver that calls.")
    ] = soak_run.Driver.AIO,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long.")] = 10.0,
    instances: Annotated[int, typer.Option(min=3, help="Instances that are called.")] = 3,
    rate: Annotated[float, typer.Option(min=1, help="Calls per second.")] = 100.0,
    seed: Annotated[int, typer.Option(help="Chooses what breaks, and when.")] = 1,
    json: Annotated[Path | None, FIGURES] = None,
    folder: Annotated[Path, LOGS] = FOLDER / "soak",
) -> None:
    """Call through kills, freezes, drains and Consul restarts: nothing may fail, nothing grow."""
    plan = soak_run.SoakPlan(driver, minutes, instances, rate, seed)
    running = run_watched(plan, folder, clock=clock, console=console)
    report = report_of(running, json)
    sys.exit(0 if report.ok else EXIT_BROKEN)


@app.command()
def retention(
    orders: Annotated[int, typer.Option(min=1, help="How many; each is fulfilled, too.")] = 2_000,
    concurrency: Annotated[int, typer.Option(min=1, help="Orders at once.")] = 32,
    keep_s: Annotated[
        float | None, typer.Option(min=1, help="Archive what ended so long ago.")
    ] = None,
    database: Annotated[DatabaseKind, typer.Option(help="The database.")] = DatabaseKind.SQLITE,
    seed: Annotated[int, typer.Option(help="Chooses ids.")] = 1,
    json: Annotated[Path | None, FIGURES] = None,
    folder: Annotated[Path, DATA] = FOLDER / "retention",
) -> None:
    """What an order leaves in each table; with --keep-s, that the databases stop growing."""
    plan = RetentionPlan(orders, concurrency, keep_s, database is DatabaseKind.POSTGRES)
    report_of(run_retention(plan, folder, rng=random.Random(seed), clock=clock), json)


@app.command()
def discovery(
    row: Annotated[
        list[str] | None,
        typer.Option(help=f"One of {', '.join(MEASUREMENTS)}; may be repeated."),
    ] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Interleaved pairs of a comparison.")] = PAIRS,
    seed: Annotated[int, typer.Option(help="Chooses the order of turns.")] = 1,
    json: Annotated[Path | None, FIGURES] = None,
    folder: Annotated[Path, LOGS] = FOLDER,
) -> None:
    """Calls through discovery, next to the same calls through the stacks of grpc.aio itself.

    FILE keeps the rows that are not measured this time.
    """
    names = chosen(row, MEASUREMENTS)
    bench = DiscoveryBench(folder / "discovery", clock, random.Random(seed), pairs)
    rows: list[DiscoveryRow] = []
    for name in names:
        console.print(f"measuring {name}")
        with exit_if_not_measured():
            # On asyncio's own loop, which most callers use.
            rows += interruption.run(MEASUREMENTS[name](bench), runner=asyncio.run)
        if json is not None:
            discovery_row.write(json, rows)
    console.print(table(rows))


@app.command()
def pages(
    requests: Annotated[int, typer.Option(min=1, help="How often each page is asked for.")] = 400,
    orders: Annotated[int, typer.Option(min=1, help="Orders of the customer.")] = 100,
    watches: Annotated[int, typer.Option(min=2, help="Orders that are followed at once.")] = 1_000,
    seed: Annotated[int, typer.Option(help="Chooses ids.")] = 1,
    json: Annotated[Path | None, FIGURES] = None,
    folder: Annotated[Path, DATA] = FOLDER / "pages",
) -> None:
    """The pages of shop and console at twenty at once, and live streams: memory and lag."""
    plan = PagesPlan(requests, orders, watches)
    report_of(run_pages(plan, folder, rng=random.Random(seed), clock=clock), json)


@app.command()
def edge(
    row: Annotated[
        list[str] | None,
        typer.Option(help=f"One of {', '.join(EDGE_MEASUREMENTS)}; may be repeated."),
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, help="Interleaved rounds of a comparison.")
    ] = ROUNDS,
    seed: Annotated[int, typer.Option(help="Chooses the order of turns.")] = 1,
    json: Annotated[Path | None, FIGURES] = None,
    folder: Annotated[Path, LOGS] = FOLDER,
) -> None:
    """Ways to find an instance side by side, and what the edge costs and how fast it follows.

    FILE keeps the rows that are not measured this time.
    """
    names = chosen(row, EDGE_MEASUREMENTS)
    bench = DiscoveryBench(folder / "edge", clock, random.Random(seed), rounds)
    before = machine.moment()

    def keep(rows: Sequence[DiscoveryRow]) -> None:
        if json is not None:
            discovery_row.write(json, rows)

    with exit_if_not_measured():
        running = run_edge(
            bench, names, began=lambda name: console.print(f"measuring {name}"), ended=keep
        )
        rows = interruption.run(running, runner=asyncio.run)
    found = machine.conditions(before, machine.moment())
    for line in caveats(found, rounds=rounds, confidences=()):
        console.print(line)
    # As it is, however wide: it goes into docs/benchmarks.md.
    print(tables_of(rows))


if __name__ == "__main__":
    app(prog_name="./scripts/bench")
