"""`./scripts/run`: start the suite, replay real baskets, report, check the books."""

import asyncio
import random
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import grpc
import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.notification.v1.notification_service_pb2_grpc import NotificationServiceStub
from tradepost.order.admin.v1.saga_admin_service_pb2_grpc import SagaAdminServiceStub
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub
from tradepost.payment.testing.v1.simulated_processor_service_pb2_grpc import (
    SimulatedProcessorServiceStub,
)
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

import discovery
from discovery.clock import SystemClock
from scripts.replay import books, catalogue, census, cluster
from scripts.replay.baskets import Shop, basket_count, read_shop
from scripts.replay.census import Stubs
from scripts.replay.report import Report
from scripts.replay.shoppers import Visit, plan, shelves
from scripts.replay.till import ORDER_CONFIG, NeverSettledError, Tally, Till
from scripts.tools.places import ROOT

RUN_FOLDER = ROOT / ".run"
REST_TIMEOUT_S = 90.0
EXIT_UNBALANCED = 1
EXIT_NOT_STARTED = 2
EXIT_INTERRUPTED = 130

console = Console()
clock = SystemClock()


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    baskets: int
    concurrency: int
    seed: int
    instances: int
    stay: bool
    json: Path | None
    folder: Path


def main(
    baskets: Annotated[int, typer.Option(min=0, help="How many baskets to replay.")] = 500,
    concurrency: Annotated[int, typer.Option(min=1, help="How many tills serve at once.")] = 64,
    seed: Annotated[int, typer.Option(help="Chooses baskets, payment methods, cancels.")] = 1,
    instances: Annotated[int, typer.Option(min=2, help="Instances of each service.")] = 2,
    stay: Annotated[bool, typer.Option("--stay", help="Go on serving until Ctrl-C.")] = False,
    json: Annotated[Path | None, typer.Option(help="Also write the figures to FILE.")] = None,
    folder: Annotated[Path, typer.Option(help="Keeps logs and databases.")] = RUN_FOLDER,
) -> None:
    """Replay real grocery baskets through CreateOrder and check the books."""
    options = Options(baskets, concurrency, seed, instances, stay, json, folder)
    try:
        report = uvloop.run(_run(options))
    except cluster.StartError as error:
        console.print(f"[red]{error}[/red]")
        sys.exit(EXIT_NOT_STARTED)
    except KeyboardInterrupt:
        console.print("stopped")
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(0 if report.balanced else EXIT_UNBALANCED)


async def _run(options: Options) -> Report:
    rng = random.Random(options.seed)
    with console.status("reading the baskets"):
        shop = await asyncio.to_thread(_read, options.baskets, rng)
    async with AsyncExitStack() as stack:
        with console.status("starting Consul and the services"):
            suite = await stack.enter_async_context(
                cluster.running(options.folder, instances=options.instances, clock=clock, rng=rng)
            )
            stubs = await _open_stubs(stack, suite)
            items = await catalogue.fill(
                stubs.inventory, shop.products, shelves(shop.baskets), rng=rng
            )
        await _say_where(suite)
        console.print(f"{items:,} items on the shelves, {len(shop.baskets):,} baskets to come")
        report = await _replay(stubs, shop, plan(shop, options.seed), options.concurrency)
        report.show(console)
        if options.json is not None:
            report.write(options.json)
        if options.stay:
            await _stay(suite)
    return report


def _read(baskets: int, rng: random.Random) -> Shop:
    return read_shop(baskets, rng.randrange(basket_count()))


async def _open_stubs(stack: AsyncExitStack, suite: cluster.Cluster) -> Stubs:
    orders, payments, inventory, notifications = [
        await stack.enter_async_context(
            discovery.open_channel(suite.target(service), service_config=config)
        )
        for service, config in (
            ("order", ORDER_CONFIG),
            ("payment", None),
            ("inventory", None),
            ("notification", None),
        )
    ]
    return Stubs(
        orders=OrderServiceStub(orders),
        sagas=SagaAdminServiceStub(orders),
        payments=PaymentServiceStub(payments),
        inventory=InventoryServiceStub(inventory),
        processor=SimulatedProcessorServiceStub(payments),
        notifications=NotificationServiceStub(notifications),
        order_feed=EventFeedServiceStub(orders),
    )


async def _replay(stubs: Stubs, shop: Shop, visits: tuple[Visit, ...], concurrency: int) -> Report:
    tally = Tally()
    till = Till(stubs.orders, clock=clock, tally=tally)
    queue = iter(visits)
    started_s = clock.monotonic()
    bar = Progress(
        TextColumn("orders"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        console=console,
    )
    with bar:
        task = bar.add_task("orders", total=len(visits), rate=0.0)

        async def work(queue: Iterator[Visit]) -> None:
            for visit in queue:
                try:
                    await till.serve(visit)
                except (NeverSettledError, grpc.aio.AioRpcError) as error:
                    tally.broken_promises.append(f"request {visit.request_id}: {error}")
                rate = len(tally.receipts) / (clock.monotonic() - started_s)
                bar.update(task, advance=1, rate=rate)

        async with asyncio.TaskGroup() as tills:
            for _ in range(concurrency):
                tills.create_task(work(queue))
    elapsed_s = clock.monotonic() - started_s
    with console.status("waiting for the last sagas, then counting"):
        await census.wait_for_rest(stubs, clock=clock, timeout_s=REST_TIMEOUT_S)
        counted = await census.take(stubs)
    return Report(
        tally=tally,
        elapsed_s=elapsed_s,
        dropped=shop.dropped,
        books=books.check(counted, tally),
        needs_review=sum(saga.needs_review for saga in counted.sagas),
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
