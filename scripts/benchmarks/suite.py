"""Our half: the suite as scripts/run starts it, called the way an application calls it."""

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.order.v1.order_pb2 import OrderState
from tradepost.order.v1.order_service_pb2 import CreateOrderRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub

import discovery
from discovery.clock import Clock
from scripts.benchmarks.half import CALL_TIMEOUT_S, Half, OrderFailedError
from scripts.benchmarks.orders import Demand
from scripts.replay import catalogue, cluster
from scripts.replay.till import ORDER_CONFIG

INSTANCES = 2
# Takes no part in a checkout; the floor has no counterpart of it.
NOT_IN_CHECKOUT = "notification"


@asynccontextmanager
async def opened(
    folder: Path, demand: Demand, *, clock: Clock, rng: random.Random
) -> AsyncIterator[Half]:
    """The suite with full shelves, without what takes no part in a checkout. Raises StartError."""
    async with cluster.running(folder, instances=INSTANCES, clock=clock, rng=rng) as suite:
        for slot in suite.slots:
            if slot.service == NOT_IN_CHECKOUT:
                await slot.stop()
        async with discovery.open_channel(suite.target("inventory")) as channel:
            await catalogue.fill(
                InventoryServiceStub(channel), demand.products, demand.shelves, rng=rng
            )
        async with discovery.open_channel(
            suite.target("order"), service_config=ORDER_CONFIG
        ) as channel:
            yield _half(suite, OrderServiceStub(channel))


def _half(suite: cluster.Cluster, orders: OrderServiceAsyncStub) -> Half:
    async def place(request: CreateOrderRequest) -> None:
        order = (await orders.CreateOrder(request, timeout=CALL_TIMEOUT_S)).order
        if order.state != OrderState.ORDER_STATE_CONFIRMED:
            state = OrderState.Name(order.state)
            raise OrderFailedError(f"{order.order_id} is {state}: {order.refusal}")

    processes = {
        service: [
            slot.process.pid
            for slot in suite.slots
            if slot.service == service and slot.process is not None
        ]
        for service in cluster.SERVICES
        if service != NOT_IN_CHECKOUT
    }
    return Half("suite", place, {**processes, "caller": [os.getpid()]})
