"""Runs the callers of a rollout at the suite and, if there is one, at the edge."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle

import aiohttp
from tradepost.order.v1.order_service_pb2 import GetOrderRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub

import discovery
from discovery.clock import Clock
from scripts.replay.observations import Observations
from scripts.replay.order_placer import OrderCalls, OrderPlacer
from scripts.replay.order_plan import PlannedOrder
from scripts.replay.rest_orders import RestOrders
from scripts.rollouts.calling.attempt_spans import AttemptSpans
from scripts.rollouts.calling.edge_attempts import EdgeAttempts
from scripts.rollouts.calling.paid_once import PaidOnce
from scripts.rollouts.calling.shoppers import Place, Read, Shoppers
from scripts.rollouts.calling.watched import Watched
from scripts.suite.cluster import Cluster
from scripts.suite.edge import SuiteEdge
from services.console.reading.stubs import Stubs

_OK = 200
# So that the canary gets exactly its share. P2C spares an instance for seconds after a failure, and
# slow start a new one for 30 s: the verdict would need no more calls, but more time.
_SERVICE_CONFIG = {"loadBalancingConfig": [{"weighted": {}}], "slowStart": False}


@dataclass(frozen=True, slots=True)
class OrderTraffic:
    """Calls the service directly and, if there is an edge, with half of the calls there."""

    suite: Cluster
    stubs: Stubs
    edge: SuiteEdge | None
    watched: Watched
    observations: Observations
    clock: Clock

    @asynccontextmanager
    async def calling(
        self, orders: Sequence[PlannedOrder], *, reads_per_s: float, rng: random.Random
    ) -> AsyncIterator[None]:
        """Call while the block runs; then settle what was begun."""
        async with AsyncExitStack() as stack:
            ways = [await self._direct(stack)]
            watching = [PaidOnce(self.stubs, self.observations, clock=self.clock).run()]
            if self.edge is not None:
                ways.append(await self._at_edge(self.edge, stack))
                seen = EdgeAttempts(self.edge.slot.log, self.watched, clock=self.clock)
                watching.append(seen.run())
            shoppers = Shoppers(
                orders,
                placing=cycle([place for place, _ in ways]),
                reading=cycle([read for _, read in ways]),
                reads_per_s=reads_per_s,
                observations=self.observations,
                clock=self.clock,
                rng=rng,
            )
            async with asyncio.TaskGroup() as tasks:
                watchers = [tasks.create_task(each) for each in watching]
                shopping = tasks.create_task(shoppers.run())
                yield
                shoppers.stop()
                await shopping
                for watcher in watchers:
                    watcher.cancel()

    async def _direct(self, stack: AsyncExitStack) -> tuple[Place, Read]:
        channel = discovery.open_channel(
            self.suite.target("order"),
            service_config=_SERVICE_CONFIG,
            tracer_provider=AttemptSpans(self.watched).provider,
        )
        orders = OrderServiceStub(await stack.enter_async_context(channel))
        return self._placing(orders), _direct_read(orders)

    async def _at_edge(self, edge: SuiteEdge, stack: AsyncExitStack) -> tuple[Place, Read]:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        rest = RestOrders(session, edge.url, clock=self.clock, observations=self.observations)
        return self._placing(rest), _read_at_edge(session, edge.url, self.observations)

    def _placing(self, orders: OrderCalls) -> Place:
        return OrderPlacer(orders, clock=self.clock, observations=self.observations).place


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
