"""Reads during a replay, and checks the guarantees that every single read must show.

The versions of an order never go back, on any instance, and have no gap; no stock is oversold; no
more is refunded than was captured, and no order is captured twice. An acknowledged order is never
unknown.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import grpc
from tradepost.inventory.v1.inventory_service_pb2 import BatchGetStockRequest, GetStockRequest
from tradepost.inventory.v1.item_pb2 import StockLevel
from tradepost.order.v1.order_pb2 import OrderState
from tradepost.order.v1.order_service_pb2 import (
    BatchGetOrdersRequest,
    GetOrderRequest,
    ListOrderEventsRequest,
    ListOrdersRequest,
)
from tradepost.payment.v1.payment_pb2 import CaptureState
from tradepost.payment.v1.payment_service_pb2 import ListPaymentsRequest

from discovery.clock import Clock
from scripts.replay.observations import Observations
from services.console.reading.stubs import Stubs

PAUSE_MAX_S = 0.2
PAGE_SIZE = 20
UNDER_WAY_SHARE = 0.5
MOVING = (
    OrderState.ORDER_STATE_RESERVING,
    OrderState.ORDER_STATE_AUTHORIZING,
    OrderState.ORDER_STATE_COMMITTING,
    OrderState.ORDER_STATE_CAPTURING,
    OrderState.ORDER_STATE_CANCELLING,
    OrderState.ORDER_STATE_FULFILLING,
    OrderState.ORDER_STATE_REFUNDING,
    OrderState.ORDER_STATE_RETURNING,
)


class Auditor:
    """Makes one read after another, chosen by `rng`; `skus` are the items to read."""

    def __init__(
        self,
        stubs: Stubs,
        *,
        skus: Sequence[str],
        observations: Observations,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._stubs = stubs
        self._skus = skus
        self._observations = observations
        self._clock = clock
        self._rng = rng
        # The newest version of each order and item that any read has returned.
        self._seen: dict[str, int] = {}
        self._under_way: list[str] = []

    async def run(self) -> None:
        """Read until cancelled."""
        reads: tuple[Callable[[], Awaitable[None]], ...] = (
            self._order,
            self._orders,
            self._moving,
            self._events,
            self._item,
            self._items,
            self._payments,
        )
        while True:
            # While no order is known, look for one.
            await (self._rng.choice(reads)() if self._orders_known() else self._moving())
            await self._clock.sleep(self._rng.uniform(0.0, PAUSE_MAX_S))

    async def _order(self) -> None:
        order_id = self._an_order()
        known = self._seen.get(order_id, 0)
        async with self._counted("GetOrder"):
            answer = await self._stubs.orders.GetOrder(GetOrderRequest(order_id=order_id))
            self._advance(order_id, answer.version, since=known)

    async def _orders(self) -> None:
        order_ids = sorted({self._an_order() for _ in range(PAGE_SIZE)})
        known = {order_id: self._seen.get(order_id, 0) for order_id in order_ids}
        async with self._counted("BatchGetOrders"):
            request = BatchGetOrdersRequest(order_ids=order_ids)
            answer = await self._stubs.orders.BatchGetOrders(request)
            self._expect(not answer.unknown_order_ids, "an acknowledged order is unknown")
            for order in answer.orders:
                self._advance(order.order_id, order.version, since=known[order.order_id])

    async def _moving(self) -> None:
        known = dict(self._seen)
        async with self._counted("ListOrders"):
            request = ListOrdersRequest(states=MOVING, page_size=PAGE_SIZE)
            listed = (await self._stubs.orders.ListOrders(request)).orders
            self._under_way = [order.order_id for order in listed]
            for order in listed:
                self._advance(order.order_id, order.version, since=known.get(order.order_id, 0))

    async def _events(self) -> None:
        order_id = self._an_order()
        known = self._seen.get(order_id, 0)
        async with self._counted("ListOrderEvents"):
            answer = await self._stubs.orders.ListOrderEvents(
                ListOrderEventsRequest(order_id=order_id)
            )
            versions = [event.aggregate_version for event in answer.events]
            gapless = versions == list(range(1, len(versions) + 1))
            self._expect(gapless, f"{order_id} has the versions {versions}")
            self._advance(order_id, len(versions), since=known)

    async def _item(self) -> None:
        sku = self._rng.choice(self._skus)
        known = self._seen.get(sku, 0)
        async with self._counted("GetStock"):
            answer = await self._stubs.inventory.GetStock(GetStockRequest(sku=sku))
            self._check_level(answer.stock, since=known)

    async def _items(self) -> None:
        skus = sorted({self._rng.choice(self._skus) for _ in range(PAGE_SIZE)})
        known = {sku: self._seen.get(sku, 0) for sku in skus}
        async with self._counted("BatchGetStock"):
            answer = await self._stubs.inventory.BatchGetStock(BatchGetStockRequest(skus=skus))
            for level in answer.stock:
                self._check_level(level, since=known[level.sku])

    async def _payments(self) -> None:
        order_id = self._an_order()
        async with self._counted("ListPayments"):
            answer = await self._stubs.payments.ListPayments(ListPaymentsRequest(order_id=order_id))
            captures = 0
            for payment in answer.payments:
                refunded, captured = payment.refunded_amount, payment.captured_amount
                covered = refunded.minor_units <= captured.minor_units
                self._expect(covered, f"{payment.payment_id}: more refunded than captured")
                captures += sum(
                    capture.state == CaptureState.CAPTURE_STATE_CAPTURED
                    for capture in payment.captures
                )
            self._expect(captures <= 1, f"{order_id} was captured {captures} times")

    def _orders_known(self) -> bool:
        return bool(self._observations.outcomes or self._under_way)

    def _an_order(self) -> str:
        """An order whose checkout is under way, or one that was acknowledged."""
        settled = self._observations.outcomes
        if self._under_way and (not settled or self._rng.random() < UNDER_WAY_SHARE):
            return self._rng.choice(self._under_way)
        return self._rng.choice(settled).order_id

    def _check_level(self, level: StockLevel, *, since: int) -> None:
        counted = level.on_hand_count - level.held_count - level.committed_count
        self._expect(level.available_count == counted >= 0, f"{level.sku} is oversold: {level}")
        self._advance(level.sku, level.version, since=since)

    def _advance(self, subject: str, version: int, *, since: int) -> None:
        """Check that a read returned at least the version that was known before it began."""
        self._expect(version >= since, f"{subject} went back from version {since} to {version}")
        self._seen[subject] = max(version, self._seen.get(subject, 0))

    def _expect(self, holds: bool, otherwise: str) -> None:  # noqa: FBT001 - reads like an assertion
        if not holds:
            self._observations.violations.append(otherwise)

    @asynccontextmanager
    async def _counted(self, method: str) -> AsyncIterator[None]:
        self._observations.reads[method] += 1
        try:
            yield
        except grpc.aio.AioRpcError as error:
            self._observations.count_failure(method, error)
