"""A running suite of the old version, to which instances of the new one are added."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from discovery.clock import Clock
from scripts.replay.books import every_check
from scripts.replay.books.equation import Equation
from scripts.replay.books.snapshot import take_snapshot
from scripts.replay.observations import Observations
from scripts.replay.order_plan import plan_orders, stock_for
from scripts.rollouts.calling.order_traffic import OrderTraffic
from scripts.rollouts.calling.watched import Watched
from scripts.rollouts.rollout_options import RolloutOptions
from scripts.rollouts.traffic import Traffic
from scripts.rollouts.verdict.attempt import Arm
from scripts.rollouts.versions import NONE, SERVICE, Version, beside, slots_of
from scripts.suite import cluster
from scripts.suite.baskets import Shop, basket_count, read_shop
from scripts.suite.cluster import Cluster
from scripts.suite.edge import SuiteEdge, running_edge
from scripts.suite.idle import wait_until_idle
from scripts.suite.items import create_items
from scripts.suite.processes.interruption import SuiteStop
from scripts.suite.processes.slot import ProcessSlot
from scripts.suite.stubs import open_stubs
from services.console.reading.stubs import Stubs

IDLE_TIMEOUT_S = 90.0
# All calls of a rollout come from one address, as one caller's in the open mode.
WITHOUT_LIMIT = {"TRADEPOST_EDGE_WRITE_PER_MINUTE": "0", "TRADEPOST_EDGE_READ_PER_MINUTE": "0"}


@dataclass(slots=True)
class Stage:
    """The suite, and what is seen of its callers' calls. The `added` instances end with it."""

    suite: Cluster
    stubs: Stubs
    edge: SuiteEdge | None
    traffic: Traffic
    clock: Clock
    stop: SuiteStop
    watched: Watched = field(default_factory=Watched)
    observations: Observations = field(default_factory=Observations)
    added: list[ProcessSlot] = field(default_factory=list)

    async def add(self, version: Version, arm: Arm, settings: Mapping[str, str] = NONE) -> str:
        """Start one more instance, compared as an arm; return its id. Raises StartError."""
        number = max(slot.number for slot in (*slots_of(self.suite), *self.added)) + 1
        slot = beside(self.suite, version, number, settings)
        self.added.append(slot)
        self.stop.include([slot])
        await slot.start()
        self.suite.slots = [*self.suite.slots, slot]
        await self.suite.wait_registered()
        await self.watch([slot.name], arm)
        return slot.name

    async def watch(self, ids: Sequence[str], arm: Arm) -> None:
        """Compare these instances as an arm, besides those that are watched already."""
        for instance in await self.suite.instances(SERVICE):
            if instance.instance_id in ids:
                self.watched.by_id[instance.instance_id] = arm
                self.watched.by_endpoint[instance.endpoint] = arm

    def watch_nobody(self) -> None:
        """Compare no instances any more."""
        self.watched.by_id.clear()
        self.watched.by_endpoint.clear()

    async def books(self) -> Sequence[Equation]:
        """The books, once nobody calls any more and the suite is idle."""
        await wait_until_idle(self.stubs, clock=self.clock, timeout_s=IDLE_TIMEOUT_S)
        snapshot = await take_snapshot(self.stubs, self.suite.mail, self.suite.archive)
        return every_check.check(snapshot, self.observations)

    async def end_added(self) -> None:
        """End the instances that were added."""
        await asyncio.gather(*(slot.stop() for slot in self.added))


@asynccontextmanager
async def stage_of(
    old: Version, shop: Shop, options: RolloutOptions, *, clock: Clock, stop: SuiteStop
) -> AsyncIterator[Stage]:
    """Start the suite, stocked for the shop. Raises StartError."""
    rng = random.Random(options.seed)
    async with AsyncExitStack() as stack:
        running = cluster.running(
            options.folder,
            instances=options.instances,
            clock=clock,
            rng=rng,
            stop=stop,
            programs=old.programs,
        )
        suite = await stack.enter_async_context(running)
        stubs = await stack.enter_async_context(open_stubs(suite))
        await create_items(stubs.inventory, shop.products, stock_for(shop.baskets), rng=rng)
        edge = None
        if options.edge:
            started = running_edge(suite, options.folder, WITHOUT_LIMIT, stop=stop)
            edge = await stack.enter_async_context(started)
        traffic = Traffic(suite, SERVICE, clock=clock)
        stack.push_async_callback(traffic.close)
        stage = Stage(suite, stubs, edge, traffic, clock, stop)
        stack.push_async_callback(stage.end_added)
        yield stage


async def shop_of(options: RolloutOptions) -> Shop:
    """What the callers buy; the seed chooses it."""
    first = random.Random(options.seed).randrange(basket_count())
    return await asyncio.to_thread(read_shop, options.baskets, first)


@asynccontextmanager
async def called(stage: Stage, shop: Shop, options: RolloutOptions) -> AsyncIterator[None]:
    """Place and read orders while the block runs, and keep the weights that it sets."""
    callers = OrderTraffic(
        stage.suite, stage.stubs, stage.edge, stage.watched, stage.observations, stage.clock
    )
    orders, rng = plan_orders(shop, options.seed), random.Random(f"callers {options.seed}")
    async with callers.calling(orders, reads_per_s=options.reads_per_s, rng=rng):
        keeping = asyncio.create_task(stage.traffic.keep())
        try:
            yield
        finally:
            keeping.cancel()
