"""`./scripts/bench`: what the design promises, measured."""

import asyncio
import random
import sys
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Protocol, TypeVar

import typer
import uvloop
from rich.console import Console

from discovery.clock import SystemClock
from scripts.benchmarks.checkout import baselines as checkouts
from scripts.benchmarks.checkout.baselines import CheckoutBench
from scripts.benchmarks.checkout.checkout_report import CheckoutReport
from scripts.benchmarks.coordination import coordination_rounds as coordinations
from scripts.benchmarks.coordination.coordination_report import CoordinationReport
from scripts.benchmarks.coordination.counters import CHANNELZ
from scripts.benchmarks.discovery import row as discovery_row
from scripts.benchmarks.discovery.bench import PAIRS, DiscoveryBench
from scripts.benchmarks.discovery.measurements.by_name import MEASURES
from scripts.benchmarks.discovery.row import DiscoveryRow
from scripts.benchmarks.discovery.table import table
from scripts.benchmarks.floor.floor_cluster import SkeletonStartError
from scripts.benchmarks.peers.engines import PeerMissingError
from scripts.benchmarks.shared import machine, measured_suite
from scripts.benchmarks.shared.comparison import ComparisonPlan, ComparisonRow
from scripts.benchmarks.shared.contender import OrderFailedError
from scripts.benchmarks.shared.demand import read_demand
from scripts.benchmarks.soak import soak_run as soaks
from scripts.benchmarks.soak.sample import SoakSample
from scripts.benchmarks.soak.soak_report import SoakReport
from scripts.suite.cluster import StartError
from scripts.tools.commands import SetupError
from scripts.tools.paths import ROOT

FOLDER = ROOT / ".run" / "bench"
CONCURRENCIES = {"floor": (1, 8, 32, 64), "peers": (32,), "stored": (32,)}
STORED = (1_000, 100_000, 1_000_000)
EXIT_BROKEN = 1
EXIT_NOT_MEASURED = 2
EXIT_INTERRUPTED = 130

NOT_MEASURED = (
    StartError,
    SkeletonStartError,
    PeerMissingError,
    OrderFailedError,
    SetupError,
    soaks.CallerEndedError,
)

app = typer.Typer()
console = Console()
clock = SystemClock()


class Database(StrEnum):
    """Where the suite, and whom it is compared with, keep their data."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


class Against(StrEnum):
    """What the suite is compared with."""

    FLOOR = "floor"
    PEERS = "peers"
    STORED = "stored"


@app.callback()
def bench() -> None:
    """Measure the suite against floors and peers that run beside it."""


@app.command()
def checkout(
    against: Annotated[
        list[Against] | None, typer.Option(help="Compare with this alone; may be repeated.")
    ] = None,
    database: Annotated[
        list[Database] | None, typer.Option(help="On this alone; may be repeated.")
    ] = None,
    concurrency: Annotated[
        list[int] | None, typer.Option(min=1, help="Orders at once; may be repeated.")
    ] = None,
    orders: Annotated[int, typer.Option(min=1, help="Orders of each turn.")] = 500,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, with a turn of everybody.")] = 12,
    stored: Annotated[
        list[int] | None, typer.Option(min=1, help="Orders stored before; may be repeated.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Chooses ids, and whose turn it is; stored orders must not know the ids already.",
            show_default="a new one",
        ),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write, or add, the figures to FILE.")] = None,
    folder: Annotated[Path, typer.Option(help="Keeps logs and databases.")] = FOLDER,
) -> None:
    """Orders a second and latencies, against a floor, against peers, and with orders stored."""
    wanted = [(one, where) for one in against or Against for where in database or Database]
    plans = {
        one: ComparisonPlan(concurrency or CONCURRENCIES[one], orders, rounds) for one in Against
    }
    _report(_checkout(wanted, plans, stored or STORED, folder, random.Random(seed)), json)


@app.command()
def coordination(
    concurrency: Annotated[
        list[int] | None, typer.Option(min=1, help="Orders at once; may be repeated.")
    ] = None,
    orders: Annotated[int, typer.Option(min=1, help="Orders of each turn.")] = 200,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of three turns.")] = 6,
    seed: Annotated[int, typer.Option(help="Chooses ids, and whose turn it is.")] = 1,
    json: Annotated[Path | None, typer.Option(help="Also write the figures to FILE.")] = None,
    folder: Annotated[Path, typer.Option(help="Keeps logs and databases.")] = FOLDER,
) -> None:
    """Orchestrated and choreographed checkouts side by side, and how far behind the feeds are."""
    plan = ComparisonPlan(concurrency or (1, 8, 32), orders, rounds)
    _report(_coordination(plan, folder, random.Random(seed)), json)


@app.command()
def soak(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long.")] = 10.0,
    instances: Annotated[int, typer.Option(min=3, help="Instances that are called.")] = 3,
    rate: Annotated[float, typer.Option(min=1, help="Calls a second.")] = 100.0,
    seed: Annotated[int, typer.Option(help="Chooses what breaks, and when.")] = 1,
    json: Annotated[Path | None, typer.Option(help="Also write the figures to FILE.")] = None,
    folder: Annotated[Path, typer.Option(help="Keeps logs.")] = FOLDER / "soak",
) -> None:
    """Call through kills, freezes, drains and Consul restarts: nothing may fail, nothing grow."""
    plan = soaks.SoakPlan(minutes, instances, rate, seed)
    report = _report(_soak(plan, folder), json)
    sys.exit(0 if report.ok else EXIT_BROKEN)


@app.command()
def discovery(
    row: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(MEASURES)}; may be repeated.")
    ] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Interleaved pairs of a comparison.")] = PAIRS,
    seed: Annotated[int, typer.Option(help="Chooses whose turn it is.")] = 1,
    json: Annotated[Path | None, typer.Option(help="Also write the figures to FILE.")] = None,
    folder: Annotated[Path, typer.Option(help="Keeps logs.")] = FOLDER,
) -> None:
    """Calls through discovery, beside the same calls through what grpc.aio has itself.

    With some rows only, FILE keeps those that it has of others.
    """
    bench = DiscoveryBench(folder / "discovery", clock, random.Random(seed), pairs)
    names = row or list(MEASURES)
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        raise typer.BadParameter(f"no row {unknown[0]}; there are {', '.join(MEASURES)}")
    rows: list[DiscoveryRow] = []
    for name in names:
        console.print(f"measuring {name}")
        with _or_not_measured():
            # On asyncio's own loop, which is what most callers run.
            rows += asyncio.run(MEASURES[name](bench))
        if json is not None:
            discovery_row.write(json, rows)
    console.print(table(rows))


class _Report(Protocol):
    def show(self, console: Console) -> None: ...

    def write(self, file: Path) -> None: ...


ReportT = TypeVar("ReportT", bound=_Report)


def _report(measuring: Coroutine[object, object, ReportT], file: Path | None) -> ReportT:
    """Measure, print, and write."""
    with _or_not_measured():
        report = uvloop.run(measuring)
    report.show(console)
    if file is not None:
        report.write(file)
    return report


@contextmanager
def _or_not_measured() -> Iterator[None]:
    """Say why there are no figures, and end."""
    try:
        yield
    except NOT_MEASURED as error:
        console.print(f"[red]{error}[/red]")
        sys.exit(EXIT_NOT_MEASURED)
    except KeyboardInterrupt:
        console.print("stopped")
        sys.exit(EXIT_INTERRUPTED)


async def _checkout(
    wanted: Sequence[tuple[Against, Database]],
    plans: Mapping[Against, ComparisonPlan],
    stored: Sequence[int],
    folder: Path,
    rng: random.Random,
) -> CheckoutReport:
    before = machine.moment()
    found = []
    with console.status("reading baskets") as status:
        demand = await asyncio.to_thread(read_demand)
        for against, database in wanted:
            bench = CheckoutBench(folder, demand, plans[against], clock, rng, status.update)
            postgres = database is Database.POSTGRES
            async with aclosing(_rows(against, bench, stored, postgres=postgres)) as rows:
                async for row in rows:
                    found.append(row)
                    _tell(row)
    return CheckoutReport(found, machine.conditions(before, machine.moment()))


def _rows(
    against: Against, bench: CheckoutBench, stored: Sequence[int], *, postgres: bool
) -> AsyncGenerator[ComparisonRow]:
    match against:
        case Against.FLOOR:
            return checkouts.with_floor(bench, postgres=postgres)
        case Against.PEERS:
            return checkouts.with_peers(bench, postgres=postgres)
        case Against.STORED:
            return checkouts.with_stored(bench, stored, postgres=postgres)


async def _coordination(
    plan: ComparisonPlan, folder: Path, rng: random.Random
) -> CoordinationReport:
    before = machine.moment()
    rows = []
    async with AsyncExitStack() as stack:
        status = stack.enter_context(console.status("starting the suite"))
        demand = await asyncio.to_thread(read_demand)
        ours = await stack.enter_async_context(
            measured_suite.opened(
                folder / "suite",
                demand,
                measured_suite.Kind(postgres=False),
                clock=clock,
                rng=rng,
                environment=CHANNELZ,
            )
        )
        instruments = await stack.enter_async_context(coordinations.instruments(ours, clock=clock))
        status.update("placing orders")
        async for row in coordinations.rows(ours.contender(), demand, plan, instruments, rng=rng):
            rows.append(row)
            console.print(f"{row.concurrency} at once: {row.ratio.median:.2f} of orchestration")
    return CoordinationReport(plan, rows, machine.conditions(before, machine.moment()))


async def _soak(plan: soaks.SoakPlan, folder: Path) -> SoakReport:
    before = machine.moment()
    with console.status("starting the instances") as status:

        def tell(sample: SoakSample, found: soaks.SoakFindings) -> None:
            failed = sum(sum(one.failures.values()) for one in found.samples)
            status.update(
                f"minute {sample.at_s / 60:.1f}: {found.faults.total()} faults,"
                f" {failed} calls failed, {sample.memory_kib / 1024:.0f} MiB"
            )

        found = await soaks.run(plan, folder, clock=clock, tell=tell)
    return SoakReport(plan, found, machine.conditions(before, machine.moment()))


def _tell(row: ComparisonRow) -> None:
    console.print(
        f"{row.name}: {row.ours.orders_per_s.median:,.0f} orders/s,"
        f" {row.ratio.median:.2f} of {row.baseline.orders_per_s.median:,.0f}"
    )


if __name__ == "__main__":
    app()
