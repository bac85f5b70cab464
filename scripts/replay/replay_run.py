"""One run of a replay: places all orders, disrupts the suite meanwhile, and checks the books."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext

import grpc

from discovery.clock import Clock
from scripts.replay.auditor import Auditor
from scripts.replay.books import every_check
from scripts.replay.books.equation import Equation
from scripts.replay.books.snapshot import take_snapshot
from scripts.replay.consumer_rewinder import ConsumerRewinder, changes_by_rewind
from scripts.replay.fault_injector import FaultInjector
from scripts.replay.fault_plan import Disruption, Fault
from scripts.replay.observations import Observations
from scripts.replay.order_gate import OrderGate
from scripts.replay.order_placer import NeverSettledError, OrderPlacer
from scripts.replay.order_plan import PlannedOrder
from scripts.replay.order_watcher import OrderWatcher
from scripts.replay.replay_report import ReplayReport
from scripts.suite.cluster import Cluster
from scripts.suite.idle import wait_until_idle
from scripts.suite.run_folder import StartError
from scripts.suite.stubs import Stubs

AUDITORS = 2
WATCHERS = 4
IDLE_TIMEOUT_S = 90.0


async def replay_orders(
    suite: Cluster,
    stubs: Stubs,
    orders: Sequence[PlannedOrder],
    *,
    concurrency: int,
    clock: Clock,
    rng: random.Random,
    disruptions: Sequence[Disruption] = (),
    on_order_done: Callable[[Observations], None] = lambda _: None,
    on_fault: Callable[[str], None] = lambda _: None,
) -> ReplayReport:
    """Place the orders, wait until the suite is idle, and check the books.

    Calls `on_order_done` after each order, and `on_fault` with a sentence for each fault. Raises
    StartError when the suite doesn't recover from a disruption.
    """
    observations = Observations()
    rewinder = ConsumerRewinder(
        stubs.subscriptions, observations=observations, clock=clock, rng=rng
    )
    injector = FaultInjector(suite, rewinder=rewinder, clock=clock, on_fault=on_fault)
    placer = _placer(suite, stubs, observations, clock)
    started_s = clock.monotonic()
    with _start_error_unwrapped():
        # Only with disruptions: without them, the final snapshot shows the same.
        reading = _readers(stubs, orders, observations=observations, clock=clock, rng=rng)
        async with reading if disruptions else nullcontext():
            gate = OrderGate(orders=len(orders), portions=len(disruptions) + 1)
            queue = iter(orders)
            async with asyncio.TaskGroup() as busy:
                busy.create_task(injector.run(disruptions, gate))
                for _ in range(concurrency):
                    busy.create_task(_place_from(queue, placer, gate, observations, on_order_done))
            elapsed_s = clock.monotonic() - started_s
            await _wait_until_idle(stubs, rewinder, clock)
    counted = await take_snapshot(stubs, suite.mail)
    rewound: Sequence[Equation] = ()
    if injector.done[Fault.REWIND]:
        await injector.rewind()
        behind = await _wait_until_idle(stubs, rewinder, clock)
        again = await take_snapshot(stubs, suite.mail)
        rewound = tuple(changes_by_rewind(counted, again, behind=behind))
    return ReplayReport(
        observations=observations,
        elapsed_s=elapsed_s,
        faults=injector.done,
        books=(*every_check.check(counted, observations), *rewound),
        needs_review=sum(saga.needs_review for saga in counted.sagas),
    )


def _placer(suite: Cluster, stubs: Stubs, observations: Observations, clock: Clock) -> OrderPlacer:
    return OrderPlacer(
        stubs.orders,
        clock=clock,
        observations=observations,
        caller_metadata=suite.caller_metadata,
    )


async def _wait_until_idle(stubs: Stubs, rewinder: ConsumerRewinder, clock: Clock) -> int:
    """Wait until the suite is idle; return how many rewound consumers are still behind.

    Anything else that is unfinished shows in the books.
    """
    behind = await rewinder.wait_caught_up(timeout_s=IDLE_TIMEOUT_S)
    await wait_until_idle(stubs, clock=clock, timeout_s=IDLE_TIMEOUT_S)
    return behind


async def _place_from(
    queue: Iterator[PlannedOrder],
    placer: OrderPlacer,
    gate: OrderGate,
    observations: Observations,
    on_order_done: Callable[[Observations], None],
) -> None:
    for planned in queue:
        async with gate.admitted():
            try:
                await placer.place(planned)
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
