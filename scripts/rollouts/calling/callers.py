"""Runs the callers of a rollout at the suite and, if there is one, at the edge."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle

import aiohttp
from tradepost.order.v1.order_service_pb2 import GetOrderRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub

import discovery
from discovery.clock import Clock
from scripts.replay.observations import Observations
from scripts.replay.order_placer import OrderPlacer
from scripts.replay.order_plan import PlannedOrder
from scripts.replay.rest_orders import RestOrders
from scripts.rollouts.calling.attempt_spans import AttemptSpans
from scripts.rollouts.calling.edge_attempts import EdgeAttempts
from scripts.rollouts.calling.load import Load, Place, Read
from scripts.rollouts.calling.paid_once import PaidOnce
from scripts.rollouts.calling.watched import Watched
from scripts.suite.cluster import Cluster
from scripts.suite.edge import SuiteEdge
from services.console.reading.stubs import Stubs

_OK = 200
# The canary's weight is its share from the beginning; slow start would give it less for 30 s.
_SERVICE_CONFIG = {"slowStart": False}


@asynccontextmanager
async def callers(
    suite: Cluster,
    stubs: Stubs,
    edge: SuiteEdge | None,
    orders: Sequence[PlannedOrder],
    *,
    reads_per_s: float,
    watched: Watched,
    observations: Observations,
    clock: Clock,
    rng: random.Random,
) -> AsyncIterator[None]:
    """Call while the block runs, half of the calls at the edge; then settle what was begun."""
    placing: list[Place] = []
    reading: list[Read] = []
    async with AsyncExitStack() as stack:
        channel = discovery.open_channel(
            suite.target("order"),
            service_config=_SERVICE_CONFIG,
            tracer_provider=AttemptSpans(watched).provider,
        )
        direct = OrderServiceStub(await stack.enter_async_context(channel))
        placing.append(OrderPlacer(direct, clock=clock, observations=observations).place)
        reading.append(_direct_read(direct))
        watching = [PaidOnce(stubs, observations, clock=clock).run()]
        if edge is not None:
            session = await stack.enter_async_context(aiohttp.ClientSession())
            rest = RestOrders(session, edge.url, clock=clock, observations=observations)
            placing.append(OrderPlacer(rest, clock=clock, observations=observations).place)
            reading.append(_read_at_edge(session, edge.url, observations))
            watching.append(EdgeAttempts(edge.slot.log, watched, clock=clock).run())
        load = Load(
            orders,
            placing=cycle(placing),
            reading=cycle(reading),
            reads_per_s=reads_per_s,
            observations=observations,
            clock=clock,
            rng=rng,
        )
        async with asyncio.TaskGroup() as tasks:
            watchers = [tasks.create_task(each) for each in watching]
            calling = tasks.create_task(load.run())
            yield
            load.stop()
            await calling
            for watcher in watchers:
                watcher.cancel()


def _direct_read(orders: OrderServiceAsyncStub) -> Read:
    async def read(order_id: str) -> None:
        await orders.GetOrder(GetOrderRequest(order_id=order_id))

    return read


def _read_at_edge(session: aiohttp.ClientSession, url: str, observations: Observations) -> Read:
    async def read(order_id: str) -> None:
        async with session.get(f"{url}/v1/orders/{order_id}") as answer:
            if answer.status != _OK:
                observations.failed_calls[f"GetOrder at the edge {answer.status}"] += 1
            await answer.read()

    return read
