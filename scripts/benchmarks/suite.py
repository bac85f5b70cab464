"""Our half: the suite as scripts/run starts it, called the way an application calls it."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.order.v1.order_pb2 import OrderState
from tradepost.order.v1.order_service_pb2 import CreateOrderRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub

import discovery
from discovery.clock import Clock
from scripts.benchmarks.half import CALL_TIMEOUT_S, CALLER, Half, OrderFailedError
from scripts.benchmarks.orders import Demand
from scripts.benchmarks.stored_orders import StoredOrders
from scripts.replay import catalogue, cluster
from scripts.replay.till import ORDER_CONFIG

INSTANCES = 2
# Takes no part in a checkout; the floor has no counterpart of it.
NOT_IN_CHECKOUT = "notification"


@dataclass(slots=True)
class Suite:
    """The running suite, with full shelves."""

    cluster: cluster.Cluster
    orders: OrderServiceAsyncStub
    data: Path
    _stored: StoredOrders | None = None

    def half(self) -> Half:
        """What is compared: the processes that run now."""
        processes: dict[str, list[int]] = {CALLER: [os.getpid()]}
        for slot in self.cluster.slots:
            assert slot.process is not None  # noqa: S101 (it was started)
            processes.setdefault(slot.service, []).append(slot.process.pid)
        return Half("suite", self._place, processes)

    async def store(self, orders: int, originals: Sequence[CreateOrderRequest]) -> int:
        """Fill the databases to at least so many orders; returns how many there are.

        All but the first few are copies of those, the `originals`, and all instances are
        restarted for it. Raises OrderFailedError and StartError.
        """
        if self._stored is None:
            for request in originals:
                await self._place(request)
        await asyncio.gather(*(slot.stop() for slot in self.cluster.slots))
        if self._stored is None:
            self._stored = await asyncio.to_thread(StoredOrders, self.data)
        stored = await asyncio.to_thread(self._stored.fill, orders)
        for slot in self.cluster.slots:
            await slot.start()
        await self.cluster.wait_registered()
        return stored

    async def _place(self, request: CreateOrderRequest) -> None:
        order = (await self.orders.CreateOrder(request, timeout=CALL_TIMEOUT_S)).order
        if order.state != OrderState.ORDER_STATE_CONFIRMED:
            state = OrderState.Name(order.state)
            raise OrderFailedError(f"{order.order_id} is {state}: {order.refusal}")


@asynccontextmanager
async def opened(
    folder: Path,
    demand: Demand,
    *,
    clock: Clock,
    rng: random.Random,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Suite]:
    """The suite without what takes no part in a checkout. Raises StartError.

    `environment` holds settings for all instances.
    """
    async with cluster.running(
        folder, instances=INSTANCES, clock=clock, rng=rng, environment=environment
    ) as suite:
        await _leave_out(suite, NOT_IN_CHECKOUT)
        async with discovery.open_channel(suite.target("inventory")) as channel:
            await catalogue.fill(
                InventoryServiceStub(channel), demand.products, demand.shelves, rng=rng
            )
        async with discovery.open_channel(
            suite.target("order"), service_config=ORDER_CONFIG
        ) as channel:
            yield Suite(suite, OrderServiceStub(channel), folder / "data")


async def _leave_out(suite: cluster.Cluster, service: str) -> None:
    for slot in suite.slots:
        if slot.service == service:
            await slot.stop()
    suite.slots = [slot for slot in suite.slots if slot.service != service]
