"""`./scripts/run`: start the suite, replay real baskets, report, check the books."""

import asyncio
import random
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from discovery.clock import SystemClock
from scripts.replay import fault_plan
from scripts.replay.fault_plan import Fault
from scripts.replay.observations import Observations
from scripts.replay.order_plan import plan, shelves
from scripts.replay.replay_report import ReplayReport
from scripts.replay.replay_run import trade
from scripts.suite import cluster
from scripts.suite import items as catalogue
from scripts.suite.baskets import Shop, basket_count, read_shop
from scripts.suite.stubs import Stubs, open_stubs
from scripts.tools.paths import ROOT

RUN_FOLDER = ROOT / ".run"
EXIT_UNBALANCED = 1
EXIT_NOT_STARTED = 2
EXIT_INTERRUPTED = 130

console = Console()
clock = SystemClock()


class Coordination(StrEnum):
    """Who takes the steps of a checkout; the order service's default in this suite."""

    ORCHESTRATION = "orchestration"
    CHOREOGRAPHY = "choreography"


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    baskets: int
    concurrency: int
    seed: int
    instances: int
    faults: frozenset[Fault]
    postgres: bool
    stay: bool
    json: Path | None
    folder: Path
    coordination: Coordination


def main(
    baskets: Annotated[int, typer.Option(min=0, help="How many baskets to replay.")] = 500,
    concurrency: Annotated[int, typer.Option(min=1, help="How many tills serve at once.")] = 64,
    seed: Annotated[int, typer.Option(help="Chooses baskets, payment methods, cancels.")] = 1,
    instances: Annotated[int, typer.Option(min=2, help="Instances of each service.")] = 2,
    kill: Annotated[bool, typer.Option("--kill", help="Kill instances, kill -9.")] = False,
    kill_consul: Annotated[
        bool, typer.Option("--kill-consul", help="Stop Consul; it forgets everything.")
    ] = False,
    drain: Annotated[bool, typer.Option("--drain", help="Roll every instance.")] = False,
    rewind: Annotated[
        bool, typer.Option("--rewind", help="Put all consumers of feeds back to the beginning.")
    ] = False,
    coordination: Annotated[
        Coordination, typer.Option(help="Who takes the steps of a checkout.")
    ] = Coordination.ORCHESTRATION,
    postgres: Annotated[
        bool, typer.Option("--postgres", help="Databases of a PostgreSQL server, not files.")
    ] = False,
    stay: Annotated[bool, typer.Option("--stay", help="Go on serving until Ctrl-C.")] = False,
    json: Annotated[Path | None, typer.Option(help="Also write the figures to FILE.")] = None,
    folder: Annotated[Path, typer.Option(help="Keeps logs and databases.")] = RUN_FOLDER,
) -> None:
    """Replay real grocery baskets through CreateOrder and check the books."""
    asked = {
        Fault.KILL: kill,
        Fault.CONSUL: kill_consul,
        Fault.DRAIN: drain,
        Fault.REWIND: rewind,
    }
    chosen = frozenset(fault for fault, is_asked in asked.items() if is_asked)
    options = Options(
        baskets=baskets,
        concurrency=concurrency,
        seed=seed,
        instances=instances,
        faults=chosen,
        postgres=postgres,
        stay=stay,
        json=json,
        folder=folder,
        coordination=coordination,
    )
    sys.exit(_status(options))


def _status(options: Options) -> int:
    """Replay; what the program exits with."""
    try:
        report = uvloop.run(_run(options))
    except cluster.StartError as error:
        console.print(f"[red]{error}[/red]")
        return EXIT_NOT_STARTED
    except KeyboardInterrupt:
        console.print("stopped")
        return EXIT_INTERRUPTED
    return 0 if report.balanced else EXIT_UNBALANCED


async def _run(options: Options) -> ReplayReport:
    rng = random.Random(options.seed)
    with console.status("reading the baskets"):
        shop = await asyncio.to_thread(_read, options.baskets, rng)
    async with AsyncExitStack() as stack:
        with console.status("starting Consul and the services"):
            suite = await stack.enter_async_context(
                cluster.running(
                    options.folder,
                    instances=options.instances,
                    clock=clock,
                    rng=rng,
                    environment={"TRADEPOST_SAGA_COORDINATION": options.coordination},
                    postgres=options.postgres,
                )
            )
            stubs = await stack.enter_async_context(open_stubs(suite))
            items = await catalogue.fill(
                stubs.inventory, shop.products, shelves(shop.baskets), rng=rng
            )
        await _say_where(suite)
        console.print(f"{items:,} items on the shelves, {len(shop.baskets):,} baskets to come")
        report = await _trade(suite, stubs, shop, options)
        report.show(console, dropped=shop.dropped)
        if options.json is not None:
            report.write(options.json)
        if options.stay:
            await _stay(suite)
    return report


def _read(baskets: int, rng: random.Random) -> Shop:
    return read_shop(baskets, rng.randrange(basket_count()))


async def _trade(
    suite: cluster.Cluster, stubs: Stubs, shop: Shop, options: Options
) -> ReplayReport:
    visits = plan(shop, options.seed)
    names: dict[str, list[str]] = {}
    for slot in suite.slots:
        names.setdefault(slot.service, []).append(slot.name)
    disruptions = fault_plan.plan(options.faults, names, random.Random(f"faults {options.seed}"))
    bar = Progress(
        TextColumn("orders"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        console=console,
    )
    started_s = clock.monotonic()
    with bar:
        task = bar.add_task("orders", total=len(visits), rate=0.0)

        def served(observations: Observations) -> None:
            rate = len(observations.outcomes) / (clock.monotonic() - started_s)
            bar.update(task, advance=1, rate=rate)

        return await trade(
            suite,
            stubs,
            visits,
            concurrency=options.concurrency,
            clock=clock,
            rng=random.Random(f"audit {options.seed}"),
            disruptions=disruptions,
            served=served,
        )


async def _say_where(suite: cluster.Cluster) -> None:
    console.print(f"Consul: http://{suite.consul.address}")
    for service in cluster.SERVICES:
        found = await suite.instances(service)
        console.print(f"{service}: {', '.join(instance.endpoint for instance in found)}")


async def _stay(suite: cluster.Cluster) -> None:
    order = (await suite.instances("order"))[0]
    grpcurl = ROOT / ".tools" / "bin" / "grpcurl"
    console.print(
        f"\nstill serving; Ctrl-C ends it. Try:\n"
        f"  {grpcurl.relative_to(ROOT)} -plaintext {order.endpoint} list",
        soft_wrap=True,
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    typer.run(main)
