"""`./scripts/bench`: what the design promises, measured."""

import asyncio
import random
import sys
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Protocol, TypeVar

import typer
import uvloop
from rich.console import Console

from discovery.clock import SystemClock
from scripts.benchmarks import checkout as checkouts
from scripts.benchmarks import coordination as coordinations
from scripts.benchmarks import machine, skeleton_cluster, suite
from scripts.benchmarks import soak as soaks
from scripts.benchmarks.checkout_report import CheckoutReport
from scripts.benchmarks.coordination_report import CoordinationReport
from scripts.benchmarks.counters import CHANNELZ
from scripts.benchmarks.discovery import row as discovery_row
from scripts.benchmarks.discovery.measuring import PAIRS, Bench
from scripts.benchmarks.discovery.row import Row
from scripts.benchmarks.discovery.rows import MEASURES
from scripts.benchmarks.discovery.table import table
from scripts.benchmarks.half import OrderFailedError
from scripts.benchmarks.orders import read_demand
from scripts.benchmarks.skeleton_cluster import SkeletonStartError
from scripts.benchmarks.soak_report import SoakReport
from scripts.benchmarks.soak_sample import Sample
from scripts.replay.cluster import StartError
from scripts.tools.commands import SetupError
from scripts.tools.places import ROOT

FOLDER = ROOT / ".run" / "bench"
EXIT_BROKEN = 1
EXIT_NOT_MEASURED = 2
EXIT_INTERRUPTED = 130

app = typer.Typer()
console = Console()
clock = SystemClock()


@app.callback()
def bench() -> None:
    """Measure the suite against floors and peers that run beside it."""


@app.command()
def checkout(
    concurrency: Annotated[
        list[int] | None, typer.Option(min=1, help="Orders at once; may be repeated.")
    ] = None,
    orders: Annotated[int, typer.Option(min=1, help="Orders of each turn.")] = 500,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of three turns.")] = 12,
    stored: Annotated[
        list[int] | None, typer.Option(min=1, help="Orders stored before; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Chooses ids, and whose turn it is.")] = 1,
    json: Annotated[Path | None, typer.Option(help="Also write the figures to FILE.")] = None,
    folder: Annotated[Path, typer.Option(help="Keeps logs and databases.")] = FOLDER,
) -> None:
    """Orders a second and latencies, against the same calls and commits with nothing else."""
    plan = checkouts.Plan(concurrency or (1, 8, 32, 64), orders, rounds, sorted(stored or ()))
    _report(_checkout(plan, folder, random.Random(seed)), json)


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
    plan = coordinations.Plan(concurrency or (1, 8, 32), orders, rounds)
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
    plan = soaks.Plan(minutes, instances, rate, seed)
    report = _report(_soak(plan, folder), json)
    sys.exit(0 if report.ok else EXIT_BROKEN)


class _Report(Protocol):
    def show(self, console: Console) -> None: ...

    def write(self, file: Path) -> None: ...


ReportT = TypeVar("ReportT", bound=_Report)


def _report(measuring: Coroutine[object, object, ReportT], file: Path | None) -> ReportT:
    """Measure, print, and write."""
    try:
        report = uvloop.run(measuring)
    except (StartError, SkeletonStartError, OrderFailedError, soaks.CallerEndedError) as error:
        console.print(f"[red]{error}[/red]")
        sys.exit(EXIT_NOT_MEASURED)
    except KeyboardInterrupt:
        console.print("stopped")
        sys.exit(EXIT_INTERRUPTED)
    report.show(console)
    if file is not None:
        report.write(file)
    return report


async def _checkout(plan: checkouts.Plan, folder: Path, rng: random.Random) -> CheckoutReport:
    before = machine.moment()
    rows = []
    async with AsyncExitStack() as stack:
        status = stack.enter_context(console.status("starting the suite and the floor"))
        demand = await asyncio.to_thread(read_demand)
        skeletons = await stack.enter_async_context(skeleton_cluster.running(folder / "floor"))
        ours = await stack.enter_async_context(
            suite.opened(folder / "suite", demand, clock=clock, rng=rng)
        )
        floor = await stack.enter_async_context(skeleton_cluster.called(skeletons))
        for wanted in plan.stored or (0,):
            stored = 0
            if wanted:
                status.update(f"storing {wanted:,} orders")
                originals = demand.requests(min(wanted, len(demand.baskets)), rng)
                stored = await ours.store(wanted, originals)
            status.update("placing orders")
            async for row in checkouts.rows(
                ours.half(), floor, demand, plan, stored=stored, clock=clock, rng=rng
            ):
                rows.append(row)
                _tell(row)
    return CheckoutReport(plan, rows, machine.conditions(before, machine.moment()))


async def _coordination(
    plan: coordinations.Plan, folder: Path, rng: random.Random
) -> CoordinationReport:
    before = machine.moment()
    rows = []
    async with AsyncExitStack() as stack:
        status = stack.enter_context(console.status("starting the suite"))
        demand = await asyncio.to_thread(read_demand)
        ours = await stack.enter_async_context(
            suite.opened(folder / "suite", demand, clock=clock, rng=rng, environment=CHANNELZ)
        )
        instruments = await stack.enter_async_context(coordinations.instruments(ours, clock=clock))
        status.update("placing orders")
        async for row in coordinations.rows(ours.half(), demand, plan, instruments, rng=rng):
            rows.append(row)
            console.print(f"{row.concurrency} at once: {row.ratio.median:.2f} of orchestration")
    return CoordinationReport(plan, rows, machine.conditions(before, machine.moment()))


async def _soak(plan: soaks.Plan, folder: Path) -> SoakReport:
    before = machine.moment()
    with console.status("starting the instances") as status:

        def tell(sample: Sample, found: soaks.Found) -> None:
            failed = sum(sum(one.failures.values()) for one in found.samples)
            status.update(
                f"minute {sample.at_s / 60:.1f}: {found.faults.total()} faults,"
                f" {failed} calls failed, {sample.memory_kib / 1024:.0f} MiB"
            )

        found = await soaks.run(plan, folder, clock=clock, tell=tell)
    return SoakReport(plan, found, machine.conditions(before, machine.moment()))


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
    bench = Bench(folder / "discovery", clock, random.Random(seed), pairs)
    names = row or list(MEASURES)
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        raise typer.BadParameter(f"no row {unknown[0]}; there are {', '.join(MEASURES)}")
    rows: list[Row] = []
    for name in names:
        console.print(f"measuring {name}")
        try:
            rows += asyncio.run(MEASURES[name](bench))
        except (StartError, SetupError) as error:
            console.print(f"[red]{error}[/red]")
            sys.exit(EXIT_NOT_MEASURED)
        except KeyboardInterrupt:
            console.print("stopped")
            sys.exit(EXIT_INTERRUPTED)
        if json is not None:
            discovery_row.write(json, rows)
    console.print(table(rows))


def _tell(row: checkouts.Row) -> None:
    console.print(
        f"{row.stored:,} stored, {row.concurrency} at once:"
        f" {row.suite.orders_per_s.median:,.0f} orders/s, {row.ratio.median:.2f} of the floor"
    )


if __name__ == "__main__":
    app()
