"""One run of a replay: places all orders, disrupts the suite meanwhile, and checks the books."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from itertools import cycle
from typing import TypeAlias

import aiohttp
import grpc

from discovery.clock import Clock
from scripts.replay.auditor import Auditor
from scripts.replay.books import archived, every_check
from scripts.replay.books.equation import Equation
from scripts.replay.books.snapshot import Snapshot, take_snapshot
from scripts.replay.faults.consumer_rewinder import ConsumerRewinder, changes_by_rewind
from scripts.replay.faults.fault_injector import FaultInjector
from scripts.replay.faults.fault_plan import Disruption, Fault
from scripts.replay.observations import Observations, OrderOutcome
from scripts.replay.order_gate import OrderGate
from scripts.replay.order_placer import NeverSettledError, OrderCalls, OrderPlacer
from scripts.replay.order_plan import PlannedOrder
from scripts.replay.order_watcher import OrderWatcher
from scripts.replay.replay_report import ReplayReport
from scripts.replay.rest_orders import RestOrders
from scripts.suite.cluster import Cluster
from scripts.suite.edge import SuiteEdge
from scripts.suite.idle import wait_until_idle
from scripts.suite.run_folder import StartError
from services.console.reading.stubs import Stubs

AUDITORS = 2
WATCHERS = 4
IDLE_TIMEOUT_S = 90.0
# So long after a batch was archived, it is removed.
ARCHIVE_QUIET_S = 3.0
# One of so many orders is placed at the edge, if there is one.
EDGE_SHARE = 4

_Place: TypeAlias = Callable[[PlannedOrder], Awaitable[OrderOutcome]]


async def replay_orders(
    suite: Cluster,
    stubs: Stubs,
    orders: Sequence[PlannedOrder],
    *,
    concurrency: int,
    clock: Clock,
    rng: random.Random,
    disruptions: Sequence[Disruption] = (),
    edge: SuiteEdge | None = None,
    observations: Observations | None = None,
    on_order_done: Callable[[Observations], None] = lambda _: None,
    on_fault: Callable[[str], None] = lambda _: None,
) -> ReplayReport:
    """Place the orders, wait until the suite is idle, and check the books.

    With an `edge` every fourth order is placed there, by REST, and the disruptions may kill it.
    `observations` are those of the orders that the suite took before.
    Calls `on_order_done` after each order, and `on_fault` with a sentence for each fault. Raises
    StartError when the suite doesn't recover from a disruption.
    """
    observed = Observations() if observations is None else observations
    rewinder = ConsumerRewinder(stubs.subscriptions, observations=observed, clock=clock, rng=rng)
    injector = FaultInjector(suite, rewinder=rewinder, clock=clock, edge=edge, on_fault=on_fault)
    started_s = clock.monotonic()
    with _start_error_unwrapped():
        # Only with disruptions: without them, the final snapshot shows the same.
        reading = _readers(stubs, orders, observations=observed, clock=clock, rng=rng)
        async with reading if disruptions else nullcontext():
            gate = OrderGate(orders=len(orders), portions=len(disruptions) + 1)
            queue = iter(orders)
            async with (
                _placing(suite, stubs, edge, observed, clock) as place,
                asyncio.TaskGroup() as busy,
            ):
                busy.create_task(injector.run(disruptions, gate))
                for _ in range(concurrency):
                    busy.create_task(_place_from(queue, place, gate, observed, on_order_done))
            elapsed_s = clock.monotonic() - started_s
            await _wait_until_idle(stubs, rewinder, clock)
    counted = await _counted(suite, stubs, clock)
    rewound: Iterable[Equation] = ()
    if injector.done[Fault.REWIND]:
        await injector.rewind()
        rewound = await _changes_since(counted, suite, stubs, rewinder, clock)
    return ReplayReport(
        observations=observed,
        elapsed_s=elapsed_s,
        faults=injector.done,
        books=(*every_check.check(counted, observed), *rewound),
        needs_review=sum(saga.needs_review for saga in counted.sagas),
    )


@asynccontextmanager
async def _placing(
    suite: Cluster, stubs: Stubs, edge: SuiteEdge | None, observations: Observations, clock: Clock
) -> AsyncIterator[_Place]:
    """What places an order: every fourth at the edge, if there is one, the others directly."""

    def placer(orders: OrderCalls) -> OrderPlacer:
        return OrderPlacer(
            orders,
            clock=clock,
            observations=observations,
            caller_metadata=suite.caller_metadata,
        )

    direct = placer(stubs.orders)
    if edge is None:
        yield direct.place
        return
    connections = aiohttp.TCPConnector(ssl=edge.tls() or True)
    async with aiohttp.ClientSession(connector=connections) as session:
        rest = RestOrders(session, edge.url, clock=clock, observations=observations)
        taking_turns = cycle([placer(rest), *[direct] * (EDGE_SHARE - 1)])
        yield lambda planned: next(taking_turns).place(planned)


async def _changes_since(
    counted: Snapshot, suite: Cluster, stubs: Stubs, rewinder: ConsumerRewinder, clock: Clock
) -> Iterable[Equation]:
    """What has changed since `counted` when the suite is idle again after a rewind."""
    behind = await _wait_until_idle(stubs, rewinder, clock)
    again = await _counted(suite, stubs, clock)
    return changes_by_rewind(counted, again, behind=behind)


async def _counted(suite: Cluster, stubs: Stubs, clock: Clock) -> Snapshot:
    """All records; where there is a retention, at a moment at which it removes nothing."""
    while True:
        before = archived.size(suite.archive)
        if before:
            await clock.sleep(ARCHIVE_QUIET_S)
        if archived.size(suite.archive) == before:
            counted = await take_snapshot(stubs, suite.mail, suite.archive)
            if archived.size(suite.archive) == before:
                return counted


async def _wait_until_idle(stubs: Stubs, rewinder: ConsumerRewinder, clock: Clock) -> int:
    """Wait until the suite is idle; return how many rewound consumers are still behind.

    Anything else that is unfinished shows in the books.
    """
    behind = await rewinder.wait_caught_up(timeout_s=IDLE_TIMEOUT_S)
    await wait_until_idle(stubs, clock=clock, timeout_s=IDLE_TIMEOUT_S)
    return behind


async def _place_from(
    queue: Iterator[PlannedOrder],
    place: _Place,
    gate: OrderGate,
    observations: Observations,
    on_order_done: Callable[[Observations], None],
) -> None:
    for planned in queue:
        async with gate.admitted():
            try:
                await place(planned)
            except (NeverSettledError, grpc.aio.AioRpcError) as error:
                observations.violations.append(f"request {planned.request_id}: {error}")
        on_order_done(observations)


@asynccontextmanager
async def _readers(
    stubs: Stubs,
    orders: Sequence[PlannedOrder],
    *,
    observations: Observations,
    clock: Clock,
    rng: random.Random,
) -> AsyncIterator[None]:
    """Auditors and watchers that read while the block runs."""
    skus = sorted({sku for order in orders for sku, _ in order.basket.lines})
    async with asyncio.TaskGroup() as group:
        readers = [
            Auditor(stubs, skus=skus, observations=observations, clock=clock, rng=_own(rng)).run()
            for _ in range(AUDITORS if skus else 0)
        ] + [
            OrderWatcher(stubs.orders, observations=observations, clock=clock, rng=_own(rng)).run()
            for _ in range(WATCHERS)
        ]
        reading = [group.create_task(reader) for reader in readers]
        yield
        for task in reading:
            task.cancel()


def _own(rng: random.Random) -> random.Random:
    """A generator for one reader, so that its choices don't depend on the other readers."""
    return random.Random(rng.getrandbits(64))


@contextmanager
def _start_error_unwrapped() -> Iterator[None]:
    """Raise a StartError of the block by itself, not inside of exception groups.

    `except*` would not do: Python before 3.11.4 wraps what it raises into a group again.
    """
    try:
        yield
    except ExceptionGroup as errors:
        error: BaseException | None = errors.subgroup(StartError)
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error or errors from None
