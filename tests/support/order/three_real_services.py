"""The three real services, each with its own port and database, which follow each other's feeds."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
from tradepost.inventory.v1 import inventory_service_pb2 as inventory_rpc
from tradepost.inventory.v1 import reservation_pb2 as rsv
from tradepost.inventory.v1.inventory_service_pb2_grpc import (
    InventoryServiceAsyncStub,
    InventoryServiceStub,
)
from tradepost.inventory.v1.item_pb2 import StockLevel
from tradepost.notification.v1.notification_service_pb2_grpc import (
    NotificationServiceAsyncStub,
    NotificationServiceStub,
)
from tradepost.order.admin.v1.saga_admin_service_pb2_grpc import (
    SagaAdminServiceAsyncStub,
    SagaAdminServiceStub,
)
from tradepost.order.v1 import order_pb2 as pb
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub
from tradepost.payment.v1 import payment_pb2 as pay
from tradepost.payment.v1 import payment_service_pb2 as payment_rpc
from tradepost.payment.v1.payment_service_pb2_grpc import (
    PaymentServiceAsyncStub,
    PaymentServiceStub,
)
from tradepost.type.v1.money_pb2 import Money

from discovery.clock import Clock, SystemClock
from discovery.registry.memory import MemoryRegistry
from scripts.replay.order_placer import SETTLED
from services.chassis.ids import IdFactory
from services.chassis.retention.settings import Retention
from services.chassis.server.lifecycle import running
from services.chassis.server.service_definition import Service
from services.chassis.server.settings import ServerSettings
from services.inventory.parts import Dependencies as InventoryDependencies
from services.inventory.parts import FeedChannels as InventoryFeedChannels
from services.inventory.service import build as build_inventory
from services.notification.parts import Dependencies as NotificationDependencies
from services.notification.sending.file_sender import FileSender
from services.notification.service import build as build_notification
from services.order.checkout.participants import ParticipantChannels
from services.order.parts import Dependencies, FeedChannels
from services.order.service import build as build_order
from services.order.settings import SagaSettings
from services.payment.parts import Dependencies as PaymentDependencies
from services.payment.parts import FeedChannels as PaymentFeedChannels
from services.payment.processor.simulated.adapter import SimulatedProcessor
from services.payment.service import build as build_payment
from tests.support.limits import WAIT_S
from tests.support.order.order_service import create, feed_of, new_request_id
from tests.support.store.databases import Databases

UNITS = 1_000
PRICE = Money(currency_code="USD", minor_units=250)


@dataclass(frozen=True)
class ThreeServices:
    """Stubs to one instance of each service, and the coordination of the test's orders."""

    orders: OrderServiceAsyncStub
    sagas: SagaAdminServiceAsyncStub
    inventory: InventoryServiceAsyncStub
    payments: PaymentServiceAsyncStub
    coordination: pb.Coordination = pb.COORDINATION_UNSPECIFIED
    notifications: NotificationServiceAsyncStub | None = None
    # To each of the four, by its name.
    channels: Mapping[str, grpc.aio.Channel] = field(default_factory=dict)

    async def create(self, customer: str = "ann", **of: Any) -> pb.Order:
        """Place an order and wait for its outcome."""
        return await create(self.orders, customer, coordination=self.coordination, **of)

    async def place_all(self, requests: Iterable[rpc.CreateOrderRequest]) -> list[pb.Order]:
        """Place orders at once and wait for their outcomes.

        A call is repeated, as callers do, when it is UNAVAILABLE because the store answers too
        late on a busy machine, and when it ends before the outcome.
        """
        return await asyncio.gather(*map(self._place, requests))

    async def _place(self, request: rpc.CreateOrderRequest) -> pb.Order:
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    order = (await self.orders.CreateOrder(request)).order
                except grpc.aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.UNAVAILABLE:
                        raise
                    continue
                if order.state in SETTLED:
                    return order

    async def tea(self) -> StockLevel:
        """Read the stock level of tea."""
        request = inventory_rpc.GetStockRequest(sku="tea")
        return (await self.inventory.GetStock(request)).stock

    async def reservation(self, order: pb.Order) -> rsv.Reservation:
        """Read the reservation of an order."""
        request = inventory_rpc.GetReservationRequest(reservation_id=order.reservation_id)
        return (await self.inventory.GetReservation(request)).reservation

    async def payment(self, order: pb.Order) -> pay.Payment | None:
        """Read the payment of an order; None if it has none."""
        request = payment_rpc.ListPaymentsRequest(order_id=order.order_id)
        payments = (await self.payments.ListPayments(request)).payments
        return payments[0] if payments else None

    async def fill(self) -> None:
        """Add plenty of milk and tea to the stock."""
        items = [
            inventory_rpc.ItemUpsert(
                sku=sku, name=sku.title(), unit_price=PRICE, initial_on_hand_count=UNITS
            )
            for sku in ("milk", "tea")
        ]
        request = inventory_rpc.UpsertItemsRequest(request_id=new_request_id(), items=items)
        await self.inventory.UpsertItems(request)


@dataclass(frozen=True)
class Archiving:
    """What has ended for `keep` is archived in `folder`, by the time of `clock`."""

    clock: Clock
    keep: timedelta
    folder: Path


@asynccontextmanager
async def three_real_services(
    databases: Databases, processor: SimulatedProcessor, archiving: Archiving | None = None
) -> AsyncIterator[ThreeServices]:
    """Serve the services with plenty of stock; they drain when the block ends.

    With `archiving` there is notification, too, which writes its mails into that folder.
    """
    async with AsyncExitStack() as stack:
        opening = _Opening(databases, stack, archiving)
        feeds = {
            name: await stack.enter_async_context(feed_of(name, opening.registry))
            for name in ("order", "inventory", "payment", "notification")
        }
        three_services = await opening.three(processor, *feeds.values())
        if archiving is not None:
            orders = feeds["order"]
            three_services = await opening.with_notification(three_services, archiving, orders)
        await three_services.fill()
        yield replace(three_services, channels=feeds)


class _Opening:
    """Opens services one after the other; they are closed with `stack`."""

    def __init__(
        self, databases: Databases, stack: AsyncExitStack, archiving: Archiving | None
    ) -> None:
        self._url = databases.url
        self._stack = stack
        self._archiving = archiving
        self._clock = SystemClock() if archiving is None else archiving.clock
        self._rng = random.Random(5)
        self._ids = IdFactory(clock=self._clock, rng=self._rng)
        self.registry = MemoryRegistry()

    async def three(
        self,
        processor: SimulatedProcessor,
        orders: grpc.aio.Channel,
        stock: grpc.aio.Channel,
        money: grpc.aio.Channel,
        mails: grpc.aio.Channel,
    ) -> ThreeServices:
        """Open the three services, which follow each other's feeds."""
        own = (self._clock, self._ids, self._rng)
        at_inventory = InventoryDependencies(
            *own,
            feeds=InventoryFeedChannels(orders, money),
            retention=self._retention(orders, money),
        )
        inventory = await self._channel_to(
            build_inventory(database_url=self._url("inventory"), dependencies=at_inventory)
        )
        at_payment = PaymentDependencies(
            *own,
            processor,
            feeds=PaymentFeedChannels(stock, orders),
            retention=self._retention(orders, stock),
        )
        payment = await self._channel_to(
            build_payment(database_url=self._url("payment"), dependencies=at_payment)
        )
        dependencies = Dependencies(
            *own,
            ParticipantChannels(inventory, payment),
            # A busy machine may take longer for many orders at once than a shop would.
            SagaSettings(deadline_s=WAIT_S / 2, hold_ttl_s=3 * WAIT_S),
            FeedChannels(orders, money, stock),
            retention=self._retention(orders, money, stock, mails),
        )
        order = await self._channel_to(
            build_order(database_url=self._url("order"), dependencies=dependencies)
        )
        return ThreeServices(
            OrderServiceStub(order),
            SagaAdminServiceStub(order),
            InventoryServiceStub(inventory),
            PaymentServiceStub(payment),
        )

    async def with_notification(
        self, three_services: ThreeServices, archiving: Archiving, orders: grpc.aio.Channel
    ) -> ThreeServices:
        """Open notification, too."""
        dependencies = NotificationDependencies(
            self._clock,
            self._ids,
            self._rng,
            orders,
            FileSender(archiving.folder),
            "shop@localhost",
            "localhost",
            retention=self._retention(),
        )
        notification = await self._channel_to(
            build_notification(database_url=self._url("notification"), dependencies=dependencies)
        )
        return replace(three_services, notifications=NotificationServiceStub(notification))

    def _retention(self, *consumers: grpc.aio.Channel) -> Retention | None:
        kept = self._archiving
        if kept is None:
            return None
        return Retention(kept.keep, kept.folder, consumers, batch=7, interval_s=0.05)

    async def _channel_to(self, built: AbstractAsyncContextManager[Service]) -> grpc.aio.Channel:
        enter = self._stack.enter_async_context
        server = await enter(
            running(
                await enter(built),
                settings=ServerSettings(port=0, drain_s=0, stop_grace_s=1),
                clock=SystemClock(),
                ids=self._ids,
                rng=self._rng,
                registrar=self.registry,
            )
        )
        return await enter(grpc.aio.insecure_channel(server.endpoint))
