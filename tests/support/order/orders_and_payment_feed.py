"""An order service that follows its own feed, and a payment feed with scripted events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tradepost.event.v1 import event_pb2
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub

from discovery.clock import Clock
from services.chassis.log.event_log import NewEvent
from services.chassis.store.database import Database
from services.order.parts import FeedChannels
from services.order.store.tables import MIGRATIONS
from tests.support.chassis.event_source import Source, event_source
from tests.support.limits import WAIT_S
from tests.support.order.order_service import OrderService, feed_of
from tests.support.store.databases import Databases, opened_database


@dataclass
class OrdersAndPaymentFeed:
    """An order service, and the event log that stands for payment."""

    order_service: OrderService
    payments: Source
    databases: Databases

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[Database]:
        """Open the database of orders in a process that serves nothing."""
        async with opened_database(
            self.databases, MIGRATIONS, owner="operator", name="order"
        ) as database:
            yield database

    async def pay(self, event: event_pb2.Event) -> int:
        """Append an event to the payment feed; returns its position."""
        appended = NewEvent(event.type, event.payload.value)
        return (await self.payments.append_all(event.aggregate_id, [appended]))[-1].position


@asynccontextmanager
async def open_orders_and_payment_feed(
    databases: Databases, *, clock: Clock | None = None
) -> AsyncIterator[OrdersAndPaymentFeed]:
    """Prepare the databases and the feeds, without an instance."""
    order_service = OrderService(await databases.migrated(MIGRATIONS, "order"), clock=clock)
    async with (
        feed_of("order", order_service.registry) as orders,
        event_source(databases) as payments,
    ):
        order_service.feeds = FeedChannels(orders, payments.channel)
        yield OrdersAndPaymentFeed(order_service, payments, databases)


async def summary_of(
    stub: OrderServiceAsyncStub, customer: str, *, position: int = 0, payment_position: int = 0
) -> rpc.CustomerSummary:
    """Read a customer's summary, as soon as it has reached both positions."""
    request = rpc.GetCustomerSummaryRequest(customer_id=customer, min_position=position)
    async with asyncio.timeout(WAIT_S):
        while True:
            said = await stub.GetCustomerSummary(request, timeout=WAIT_S)
            assert said.position >= position
            if said.payment_position >= payment_position:
                return said.summary
