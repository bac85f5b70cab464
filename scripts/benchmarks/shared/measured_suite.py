"""Our contender: the suite as scripts/run starts it, called the way an application calls it."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.order.v1.order_pb2 import OrderState
from tradepost.order.v1.order_service_pb2 import CreateOrderRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub

import discovery
from discovery.clock import Clock
from scripts.benchmarks.shared.contender import CALL_TIMEOUT_S, CALLER, Contender, OrderFailedError
from scripts.benchmarks.shared.demand import Demand
from scripts.benchmarks.stored import order_copies as stored_orders
from scripts.benchmarks.stored import summary
from scripts.replay.order_placer import ORDER_CONFIG
from scripts.suite import cluster, items
from scripts.suite import databases as stores
from scripts.tools import stamps
from scripts.tools.paths import ROOT

INSTANCES = 2
# Takes no part in a checkout; the floor has no counterpart of it.
NOT_IN_CHECKOUT = "notification"
# What the stored orders of an earlier run are made of: they are used again while all is the same.
_MADE_OF = (
    "services/*/migrations/*.py",
    "scripts/benchmarks/shared/demand.py",
    "scripts/benchmarks/stored_*.py",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """On which database, and with how many orders `stored` before."""

    postgres: bool
    stored: int = 0

    @property
    def database(self) -> str:
        """Its name for people, and for folders."""
        return "postgres" if self.postgres else "sqlite"


@dataclass(frozen=True, slots=True)
class MeasuredSuite:
    """The running suite, with full shelves."""

    cluster: cluster.Cluster
    orders: OrderServiceAsyncStub
    folder: Path

    def contender(self, name: str = "suite") -> Contender:
        """What is compared: the processes that run now."""
        processes: dict[str, list[int]] = {CALLER: [os.getpid()]}
        for slot in self.cluster.slots:
            assert slot.process is not None  # noqa: S101 (it was started)
            processes.setdefault(slot.service, []).append(slot.process.pid)
        return Contender(name, self._place, {**processes, **stores.server_processes(self.folder)})

    async def store(self, orders: int, demand: Demand, rng: random.Random) -> int:
        """Fill the databases of a new suite to at least so many orders; returns how many.

        All but the first few are copies of those, and all instances are restarted for it. Raises
        OrderFailedError and StartError.
        """
        for request in demand.requests(min(orders, len(demand.baskets)), rng):
            await self._place(request)
        await summary.taken_in(self.cluster)
        await asyncio.gather(*(slot.stop() for slot in self.cluster.slots))
        stored = await asyncio.to_thread(stored_orders.fill, self.databases(), orders)
        for slot in self.cluster.slots:
            await slot.start()
        await self.cluster.wait_registered()
        return stored

    def databases(self) -> Mapping[str, str]:
        """The URLs of the services' databases, and of the processor's."""
        urls = {slot.service: slot.environment["DATABASE_URL"] for slot in self.cluster.slots}
        processors = {slot.environment["TRADEPOST_PROCESSOR_URL"] for slot in self.cluster.slots}
        return {**urls, "processor": processors.pop()}

    async def _place(self, request: CreateOrderRequest) -> None:
        order = (await self.orders.CreateOrder(request, timeout=CALL_TIMEOUT_S)).order
        if order.state != OrderState.ORDER_STATE_CONFIRMED:
            state = OrderState.Name(order.state)
            raise OrderFailedError(f"{order.order_id} is {state}: {order.refusal}")


@asynccontextmanager
async def opened(
    folder: Path,
    demand: Demand,
    kind: Kind,
    *,
    clock: Clock,
    rng: random.Random,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[MeasuredSuite]:
    """The suite without what takes no part in a checkout. Raises StartError, OrderFailedError.

    Where an earlier run has stored its orders in `folder`, they are used again. `environment`
    holds settings for all instances.
    """
    key = stamps.digest(
        str(kind.stored), *sorted(file for names in _MADE_OF for file in ROOT.glob(names))
    )
    stamp = folder / "data" / "stored"
    keep = kind.stored > 0 and stamps.is_fresh(stamp, key)
    async with cluster.running(
        folder,
        instances=INSTANCES,
        clock=clock,
        rng=rng,
        environment=environment,
        postgres=kind.postgres,
        keep=keep,
    ) as running:
        await _leave_out(running, NOT_IN_CHECKOUT)
        async with (
            discovery.open_channel(running.target("inventory")) as inventory,
            discovery.open_channel(running.target("order"), service_config=ORDER_CONFIG) as orders,
        ):
            suite = MeasuredSuite(running, OrderServiceStub(orders), folder)
            if not keep:
                stub = InventoryServiceStub(inventory)
                await items.fill(stub, demand.products, demand.shelves, rng=rng)
            if kind.stored and not keep:
                await suite.store(kind.stored, demand, rng)
                stamps.leave(stamp, key)
            yield suite


async def _leave_out(suite: cluster.Cluster, service: str) -> None:
    for slot in suite.slots:
        if slot.service == service:
            await slot.stop()
    suite.slots = [slot for slot in suite.slots if slot.service != service]
