"""One replay from start to end: starts the suite, places the orders, prints the report."""

import asyncio
import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from discovery.clock import Clock
from scripts.releases.last_release import last_release
from scripts.releases.revision_checkout import RevisionError, commit_of, ensure_set_up
from scripts.replay.faults.fault_plan import plan_faults
from scripts.replay.front import Front, expect_ports, frequent_customer
from scripts.replay.observations import Observations
from scripts.replay.options import LAST_RELEASE, Options
from scripts.replay.order_plan import expected_refusals, plan_orders, plentiful_sku, stock_for
from scripts.replay.replay_report import ReplayReport
from scripts.replay.replay_run import replay_orders
from scripts.replay.roll import roll_there_and_back
from scripts.suite import cluster
from scripts.suite.baskets import Shop, basket_count, read_shop
from scripts.suite.consul import ConsulAgent
from scripts.suite.containers.image_programs import ImagePrograms, image_programs
from scripts.suite.edge import SuiteEdge, lines_to_try
from scripts.suite.items import create_items
from scripts.suite.processes.interruption import SuiteStop
from scripts.suite.processes.slot import THIS_INSTALLATION, Installation, ProcessSlot, Programs
from scripts.suite.run_folder import StartError
from scripts.suite.secure.credentials import Tls
from scripts.suite.secure.instructions import instructions
from scripts.suite.stubs import open_stubs
from scripts.suite.web.lines_to_open import lines_to_open
from scripts.tools.paths import ROOT
from services.console.reading.stubs import Stubs

POLL_S = 0.5
# All orders of a replay come from one address, as one caller's in the open mode.
WITHOUT_LIMIT = {"TRADEPOST_EDGE_WRITE_PER_MINUTE": "0"}


async def run(options: Options, *, console: Console, clock: Clock, stop: SuiteStop) -> ReplayReport:
    """Start the suite, replay, print and write the report; with `stay`, serve until cancelled.

    `stop` gets the processes that are started. Raises StartError.
    """
    rng = random.Random(options.seed)
    expect_ports(options)
    older = await _older(options, console)
    with console.status("reading the baskets"):
        shop = await asyncio.to_thread(_read, options.baskets, rng)
    programs = await _programs(options, console)
    async with AsyncExitStack() as stack:
        with console.status("starting Consul and the services"):
            began_s = clock.monotonic()
            suite = await stack.enter_async_context(
                _suite(options, older or programs, clock=clock, rng=rng, stop=stop)
            )
            _print_start(programs, clock.monotonic() - began_s, console)
            stubs = await stack.enter_async_context(open_stubs(suite))
            units = stock_for(shop.baskets)
            items = await create_items(stubs.inventory, shop.products, units, rng=rng)
        await _print_endpoints(suite, console)
        console.print(f"{items:,} items in stock, {len(shop.baskets):,} baskets to replay")
        if shop.baskets:
            console.print(expected_refusals(shop.baskets), highlight=False)
        front = Front(suite, options, stack, stop)
        if options.through_edge:
            await front.start(WITHOUT_LIMIT)
        report = await _replay(
            suite, stubs, front.edge, shop, options, console=console, clock=clock
        )
        report.show(console, dropped=shop.dropped)
        if options.json is not None:
            report.write(options.json)
        if options.stay:
            if options.edge and front.edge is None:
                with console.status("starting the shop, the console and the edge"):
                    await front.start()
            if front.edge is not None:
                new_id = uuid.UUID(int=rng.getrandbits(128), version=4)
                _print_pages(front, frequent_customer(shop.baskets), console)
                _print_edge(front.edge, plentiful_sku(shop), new_id, console)
            await _stay(suite, front, console, clock)
    return report


async def _programs(options: Options, console: Console) -> Programs:
    """The checkout's programs, or those of the image. Raises StartError."""
    if not options.containers:
        return THIS_INSTALLATION
    with console.status("building the image"):
        return await asyncio.to_thread(image_programs, options.folder)


def _print_start(programs: Programs, taken_s: float, console: Console) -> None:
    if isinstance(programs, ImagePrograms):
        image = programs.image
        console.print(
            f"image {image.name}, {image.megabytes} MB; Consul and all containers serve after"
            f" {taken_s:.1f} s",
            highlight=False,
            soft_wrap=True,
        )


def _suite(
    options: Options,
    programs: Programs,
    *,
    clock: Clock,
    rng: random.Random,
    stop: SuiteStop,
) -> AbstractAsyncContextManager[cluster.Cluster]:
    return cluster.running(
        options.folder,
        instances=options.instances,
        clock=clock,
        rng=rng,
        environment=_environment(options),
        postgres=options.postgres,
        secure=None if options.secure is None else Tls(options.secure),
        first_port=options.first_port,
        stop=stop,
        programs=programs,
    )


def _environment(options: Options) -> Mapping[str, str]:
    """The settings of all instances that the options ask for."""
    environment = {"TRADEPOST_SAGA_COORDINATION": str(options.coordination)}
    if options.retention is not None:
        environment |= {
            "TRADEPOST_RETENTION_DAYS": str(options.retention),
            "TRADEPOST_RETENTION_FOLDER": str(cluster.archive_of(options.folder)),
            "TRADEPOST_RETENTION_INTERVAL_S": "1",
        }
    return environment


async def _older(options: Options, console: Console) -> Installation | None:
    """The version that a roll begins with, if there is one. Raises StartError."""
    if options.roll_from is None:
        return None
    revision = options.roll_from
    try:
        if revision == LAST_RELEASE:
            revision = last_release().commit
        commit = await asyncio.to_thread(commit_of, revision)
        with console.status(f"setting up {commit}, some minutes when it is new"):
            return await asyncio.to_thread(ensure_set_up, commit)
    except RevisionError as error:
        raise StartError(f"--roll-from: {error}") from error


def _read(baskets: int, rng: random.Random) -> Shop:
    return read_shop(baskets, rng.randrange(basket_count()))


async def _replay(
    suite: cluster.Cluster,
    stubs: Stubs,
    edge: SuiteEdge | None,
    shop: Shop,
    options: Options,
    *,
    console: Console,
    clock: Clock,
) -> ReplayReport:
    orders = plan_orders(shop, options.seed)
    names: dict[str, list[str]] = {}
    for slot in suite.slots:
        names.setdefault(slot.service, []).append(slot.name)
    disruptions = plan_faults(options.faults, names, random.Random(f"faults {options.seed}"))
    replay = (
        partial(replay_orders, disruptions=disruptions)
        if options.roll_from is None
        else roll_there_and_back
    )
    with _progress(len(orders), console, clock) as on_order_done:
        return await replay(
            suite,
            stubs,
            orders,
            concurrency=options.concurrency,
            clock=clock,
            rng=random.Random(f"audit {options.seed}"),
            edge=edge,
            on_order_done=on_order_done,
            on_fault=lambda what: console.print(what, highlight=False, markup=False),
        )


@contextmanager
def _progress(
    orders: int, console: Console, clock: Clock
) -> Iterator[Callable[[Observations], None]]:
    """A progress bar; yields what advances it by one order."""
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
        task = bar.add_task("orders", total=orders, rate=0.0)

        def advance(observations: Observations) -> None:
            rate = len(observations.outcomes) / (clock.monotonic() - started_s)
            bar.update(task, advance=1, rate=rate)

        yield advance


async def _print_endpoints(suite: cluster.Cluster, console: Console) -> None:
    console.print(f"Consul: http://{suite.consul.address}")
    for service in cluster.SERVICES:
        found = await suite.instances(service)
        console.print(f"{service}: {', '.join(instance.endpoint for instance in found)}")


def _print_pages(front: Front, customer_id: str | None, console: Console) -> None:
    if front.pages is None or front.edge is None:
        return
    console.print()
    for line in lines_to_open(
        front.pages, customer_id=customer_id, credentials=front.edge.credentials
    ):
        console.print(line, soft_wrap=True)


def _print_edge(edge: SuiteEdge, sku: str | None, new_id: uuid.UUID, console: Console) -> None:
    if sku is None:
        console.print(f"\nthe edge: {edge.url}; there is nothing to order", soft_wrap=True)
        return
    console.print(
        f"\nthe edge: {edge.url}; in {ROOT}, place an order, read it, watch it and cancel it:",
        soft_wrap=True,
    )
    for line in lines_to_try(edge.url, sku, new_id=new_id, credentials=edge.credentials):
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


async def _stay(suite: cluster.Cluster, front: Front, console: Console, clock: Clock) -> None:
    order = (await suite.instances("order"))[0]
    console.print(
        f"\nstill serving; Ctrl-C ends it. Try, in {ROOT}:", highlight=False, soft_wrap=True
    )
    for line in _to_try(suite, order.endpoint):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    slots = [*suite.slots, *front.slots]
    await _print_ends(slots, suite.consul, console, clock)


def _to_try(suite: cluster.Cluster, endpoint: str) -> Iterator[str]:
    """What a person types to call the suite; the order instance is at `endpoint`."""
    if suite.access is not None:
        yield from instructions(suite.access.credentials, endpoint, consul=suite.consul.address)
        return
    grpcurl = ROOT / ".tools" / "bin" / "grpcurl"
    yield f"  {grpcurl.relative_to(ROOT)} -plaintext {endpoint} list"
    yield "For the client of README, in another terminal:"
    yield f"  export CONSUL_HTTP_ADDR={suite.consul.address}"


async def _print_ends(
    slots: Iterable[ProcessSlot], consul: ConsulAgent, console: Console, clock: Clock
) -> None:
    """Print each process that ends, how, and where its log is; until cancelled."""
    left = list(slots)
    consul_runs = True
    while True:
        for slot in [slot for slot in left if slot.ended]:
            left.remove(slot)
            end = f"{slot.name} has ended ({slot.ended}); its log: {slot.log}"
            console.print(end, highlight=False, soft_wrap=True)
        if consul_runs and consul.ended:
            consul_runs = False
            console.print("Consul has ended; callers keep the instances that they know")
        await clock.sleep(POLL_S)
