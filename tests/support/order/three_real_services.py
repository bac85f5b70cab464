"""The three real services, each with its own port and database, which follow each other's feeds."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
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


@asynccontextmanager
async def three_real_services(
    databases: Databases,
    processor: SimulatedProcessor,
    *,
    clock: Clock | None = None,
    keep: timedelta | None = None,
    folder: Path | None = None,
) -> AsyncIterator[ThreeServices]:
    """Serve the services with plenty of stock; they drain when the block ends.

    With `keep` they archive in `folder` what ended so long ago, and there is notification, too,
    which writes its mails there.
    """
    clock = clock or SystemClock()
    url, rng = databases.url, random.Random(5)
    ids, registry = IdFactory(clock=SystemClock(), rng=rng), MemoryRegistry()

    def retention(*consumers: grpc.aio.Channel) -> Retention | None:
        if keep is None or folder is None:
            return None
        return Retention(keep, folder, consumers, batch=7, interval_s=0.05)

    settings = ServerSettings(port=0, drain_s=0, stop_grace_s=1)
    system = SystemClock()
    serve = partial(running, settings=settings, clock=system, ids=ids, rng=rng, registrar=registry)
    async with AsyncExitStack() as open_now:
        enter = open_now.enter_async_context

        async def channel_to(built: AbstractAsyncContextManager[Service]) -> grpc.aio.Channel:
            server = await enter(serve(await enter(built)))
            return await enter(grpc.aio.insecure_channel(server.endpoint))

        orders, stock, money = [
            await enter(feed_of(name, registry)) for name in ("order", "inventory", "payment")
        ]
        at_inventory = InventoryDependencies(
            clock,
            ids,
            rng,
            feeds=InventoryFeedChannels(orders, money),
            retention=retention(orders, money),
        )
        inventory = await channel_to(
            build_inventory(database_url=url("inventory"), dependencies=at_inventory)
        )
        at_payment = PaymentDependencies(
            clock,
            ids,
            rng,
            processor,
            feeds=PaymentFeedChannels(stock, orders),
            retention=retention(orders, stock),
        )
        payment = await channel_to(
            build_payment(database_url=url("payment"), dependencies=at_payment)
        )
        called = ParticipantChannels(inventory, payment)
        mails = [] if keep is None else [await enter(feed_of("notification", registry))]
        dependencies = Dependencies(
            clock,
            ids,
            rng,
            called,
            SagaSettings(),
            FeedChannels(orders, money, stock),
            retention=retention(orders, money, stock, *mails),
        )
        order = await channel_to(build_order(database_url=url("order"), dependencies=dependencies))
        three_services = ThreeServices(
            OrderServiceStub(order),
            SagaAdminServiceStub(order),
            InventoryServiceStub(inventory),
            PaymentServiceStub(payment),
        )
        if folder is not None:
            at_notification = NotificationDependencies(
                clock,
                ids,
                rng,
                orders,
                FileSender(folder),
                "shop@localhost",
                "localhost",
                retention=retention(),
            )
            notification = await channel_to(
                build_notification(database_url=url("notification"), dependencies=at_notification)
            )
            stub = NotificationServiceStub(notification)
            three_services = replace(three_services, notifications=stub)
        await three_services.fill()
        yield three_services
