"""Watches orders to their end and checks that no version is missing.

A stream that is cut is resumed after the last version, as often as it takes.
"""

import random

import grpc
from tradepost.order.v1.order_pb2 import Order
from tradepost.order.v1.order_service_pb2 import ListOrdersRequest, WatchOrderRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub

from discovery.clock import Clock
from scripts.replay.auditor import MOVING
from scripts.replay.observations import Observations

PAUSE_MAX_S = 0.1
IDLE_MAX_S = 0.5
PAGE_SIZE = 50
# The channel doesn't restart a stream that has delivered a message; the watcher has to.
CUT = frozenset((grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED))


class OrderWatcher:
    """Watches one order after another, chosen by `rng` among those whose checkout is under way."""

    def __init__(
        self,
        orders: OrderServiceAsyncStub,
        *,
        observations: Observations,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._orders = orders
        self._observations = observations
        self._clock = clock
        self._rng = rng

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            order = await self._an_order()
            if order is not None:
                await self._watch(order.order_id)
            pause_max_s = IDLE_MAX_S if order is None else PAUSE_MAX_S
            await self._clock.sleep(self._rng.uniform(0.0, pause_max_s))

    async def _an_order(self) -> Order | None:
        request = ListOrdersRequest(states=MOVING, page_size=PAGE_SIZE)
        try:
            moving = (await self._orders.ListOrders(request)).orders
        except grpc.aio.AioRpcError as error:
            self._observations.count_failure("ListOrders", error)
            return None
        return self._rng.choice(moving) if moving else None

    async def _watch(self, order_id: str) -> None:
        self._observations.reads["WatchOrder"] += 1
        version, ended = 0, False
        while not ended:
            begun_at = version
            request = WatchOrderRequest(order_id=order_id, after_version=version)
            try:
                async for answer in self._orders.WatchOrder(request):
                    if answer.version != version + 1:
                        self._observations.violations.append(
                            f"{order_id}: version {answer.version} was sent after {version}"
                        )
                    version = answer.version
                ended = True
            except grpc.aio.AioRpcError as error:
                ended = version == begun_at or error.code() not in CUT
                if ended:
                    self._observations.count_failure("WatchOrder", error)
                else:
                    self._observations.resumed_watches += 1
