"""Sends all customers through the tills while auditors read along and faults disruption."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext

import grpc

from discovery.clock import Clock
from scripts.replay import books, snapshot
from scripts.replay.auditor import Auditor
from scripts.replay.consumer_rewinder import ConsumerRewinder, changes
from scripts.replay.fault_injector import FaultInjector
from scripts.replay.fault_plan import Disruption, Fault
from scripts.replay.observations import Observations
from scripts.replay.order_gate import OrderGate
from scripts.replay.order_placer import NeverSettledError, OrderPlacer
from scripts.replay.order_plan import PlannedOrder
from scripts.replay.order_watcher import OrderWatcher
from scripts.replay.replay_report import ReplayReport
from scripts.suite.cluster import Cluster, StartError
from scripts.suite.stubs import Stubs

AUDITORS = 2
WATCHERS = 4
REST_TIMEOUT_S = 90.0


async def trade(
    suite: Cluster,
    stubs: Stubs,
    visits: Sequence[PlannedOrder],
    *,
    concurrency: int,
    clock: Clock,
    rng: random.Random,
    disruptions: Sequence[Disruption] = (),
    served: Callable[[Observations], None] = lambda _: None,
) -> ReplayReport:
    """Serve the visits, wait until everything rests, count. `served` hears of each visit.

    Raises StartError where the suite doesn't come back from a disruption.
    """
    observations = Observations()
    rewinder = ConsumerRewinder(stubs.consumers, observations=observations, clock=clock, rng=rng)
    injector = FaultInjector(suite, rewinder=rewinder, clock=clock)
    placer = OrderPlacer(stubs.orders, clock=clock, observations=observations)
    started_s = clock.monotonic()
    with _said_plainly():
        # Only where something breaks: without that, what is counted afterwards says the same.
        reading = _audited(stubs, visits, observations=observations, clock=clock, rng=rng)
        async with reading if disruptions else nullcontext():
            gate = OrderGate(visits=len(visits), portions=len(disruptions) + 1)
            queue = iter(visits)
            async with asyncio.TaskGroup() as busy:
                busy.create_task(injector.run(disruptions, gate))
                for _ in range(concurrency):
                    busy.create_task(_serve(placer, queue, gate, observations, served))
            elapsed_s = clock.monotonic() - started_s
            await _wait_until_idle(stubs, rewinder, clock)
    counted = await snapshot.take_snapshot(stubs, suite.mail)
    rewound: Sequence[books.Equation] = ()
    if injector.done[Fault.REWIND]:
        await injector.rewind()
        behind = await _wait_until_idle(stubs, rewinder, clock)
        again = await snapshot.take_snapshot(stubs, suite.mail)
        rewound = tuple(changes(counted, again, behind=behind))
    return ReplayReport(
        observations=observations,
        elapsed_s=elapsed_s,
        faults=injector.done,
        books=(*books.check(counted, observations), *rewound),
        needs_review=sum(saga.needs_review for saga in counted.sagas),
    )


async def _wait_until_idle(stubs: Stubs, rewinder: ConsumerRewinder, clock: Clock) -> int:
    """How many rewound consumers are still behind; what else is unfinished, the books say."""
    behind = await rewinder.wait_caught_up(timeout_s=REST_TIMEOUT_S)
    await snapshot.wait_until_idle(stubs, clock=clock, timeout_s=REST_TIMEOUT_S)
    return behind


async def _serve(
    placer: OrderPlacer,
    queue: Iterator[PlannedOrder],
    gate: OrderGate,
    observations: Observations,
    served: Callable[[Observations], None],
) -> None:
    for visit in queue:
        async with gate.visit():
            try:
                await placer.serve(visit)
            except (NeverSettledError, grpc.aio.AioRpcError) as error:
                observations.violations.append(f"request {visit.request_id}: {error}")
        served(observations)


@asynccontextmanager
async def _audited(
    stubs: Stubs,
    visits: Sequence[PlannedOrder],
    *,
    observations: Observations,
    clock: Clock,
    rng: random.Random,
) -> AsyncIterator[None]:
    """Read along while the block runs."""
    skus = sorted({sku for visit in visits for sku, _ in visit.basket.lines})
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
    """One for each reader: what they draw must not depend on who comes first."""
    return random.Random(rng.getrandbits(64))


@contextmanager
def _said_plainly() -> Iterator[None]:
    """A StartError as itself, out of the groups it was raised through.

    Python before 3.11.4 wraps what `except*` raises into a group once more.
    """
    try:
        yield
    except ExceptionGroup as errors:
        error: BaseException | None = errors.subgroup(StartError)
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error or errors from None
