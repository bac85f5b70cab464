"""The suite as a contender: started as scripts/run starts it, called as an application calls it."""

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
from scripts.suite import cluster, databases
from scripts.suite.items import create_items
from scripts.suite.processes.slot import UNSHARED, Installation

INSTANCES = 2
# It takes no part in a checkout, and the floor has no counterpart of it.
NOT_IN_CHECKOUT = "notification"


@dataclass(frozen=True, slots=True)
class MeasuredSuite:
    """The running suite, with enough stock for every order."""

    cluster: cluster.Cluster
    orders: OrderServiceAsyncStub
    folder: Path

    def contender(self, name: str = "suite") -> Contender:
        """The suite as a contender, with the processes that run now."""
        processes: dict[str, list[int]] = {CALLER: [os.getpid()]}
        for slot in self.cluster.slots:
            assert slot.process is not None  # noqa: S101 (it was started)
            processes.setdefault(slot.service, []).append(slot.process.pid)
        processes |= databases.server_processes(self.folder)
        return Contender(name, self.place, processes)

    async def place(self, request: CreateOrderRequest) -> None:
        """Place an order. Raises OrderFailedError when it isn't confirmed, and AioRpcError."""
        order = (await self.orders.CreateOrder(request, timeout=CALL_TIMEOUT_S)).order
        if order.state != OrderState.ORDER_STATE_CONFIRMED:
            state = OrderState.Name(order.state)
            raise OrderFailedError(f"{order.order_id} is {state}: {order.refusal}")


@asynccontextmanager
async def open_suite(
    folder: Path,
    demand: Demand,
    *,
    postgres: bool,
    clock: Clock,
    rng: random.Random,
    environment: Mapping[str, str] | None = None,
    keep: bool = False,
    instances: int = INSTANCES,
    installation: Installation = UNSHARED,
) -> AsyncIterator[MeasuredSuite]:
    """The suite with the items of the demand, without the notification service. Raises StartError.

    `environment` holds settings for all instances. With `keep` the data of an earlier run are used,
    items included. The services are those of `installation`.
    """
    async with cluster.running(
        folder,
        instances=instances,
        clock=clock,
        rng=rng,
        environment=environment,
        postgres=postgres,
        keep=keep,
        programs=installation,
    ) as running:
        await _stop_service(running, NOT_IN_CHECKOUT)
        async with (
            discovery.open_channel(running.target("inventory")) as inventory,
            discovery.open_channel(running.target("order")) as orders,
        ):
            if not keep:
                stub = InventoryServiceStub(inventory)
                await create_items(stub, demand.products, demand.units, rng=rng)
            yield MeasuredSuite(running, OrderServiceStub(orders), folder)


async def _stop_service(suite: cluster.Cluster, service: str) -> None:
    for slot in suite.slots:
        if slot.service == service:
            await slot.stop()
    suite.slots = [slot for slot in suite.slots if slot.service != service]
