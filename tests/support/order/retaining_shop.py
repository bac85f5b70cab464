"""An order service with a retention, whose clock is put forward, and its archive."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import grpc
from sqlalchemy import Connection, func, select
from structlog.typing import EventDict
from tradepost.event.v1.event_pb2 import Event
from tradepost.order.v1 import order_pb2 as pb
from tradepost.payment.v1.payment_event_pb2 import RefundSucceeded

from discovery.clock import SystemClock
from services.chassis.log.event_table import EVENT
from services.chassis.request.request_ids import REQUEST
from services.chassis.retention.settings import Retention
from services.chassis.store.database import Database
from services.chassis.work.lease_table import LEASE
from services.order.store.tables import ORDER_VIEW
from services.order.summary.summary_tables import summary_tables
from tests.support.clock.shifted_clock import ShiftedClock
from tests.support.limits import WAIT_S
from tests.support.order import summary_events
from tests.support.order.order_service import (
    Instance,
    cancel_of,
    fulfill_of,
    order_of,
    return_of,
)
from tests.support.order.orders_and_payment_feed import OrdersAndPaymentFeed

T = TypeVar("T")

CLOCK = SystemClock()
KEEP = timedelta(days=30)
SUMMARY = summary_tables()
GROWING = (EVENT, REQUEST, ORDER_VIEW, SUMMARY.orders, SUMMARY.payments, LEASE)


@dataclass
class RetainingShop:
    """An order service with a retention, whose clock is put forward."""

    orders_and_payments: OrdersAndPaymentFeed
    database: Database
    clock: ShiftedClock
    archive: Path

    @asynccontextmanager
    async def retaining(self, *consumers: grpc.aio.Channel) -> AsyncIterator[Instance]:
        """Serve an instance with a retention."""
        service = self.orders_and_payments.order_service
        assert service.feeds is not None
        service.retention = Retention(
            keep=KEEP,
            folder=self.archive,
            consumers=(service.feeds.orders, *consumers),
            batch=7,
            interval_s=0.05,
        )
        async with service.instance() as instance, asyncio.timeout(WAIT_S):
            yield instance
        service.retention = None

    async def rows(self) -> dict[str, int]:
        """How many rows each table has that grows with orders."""
        return await self.database.read(_rows)

    async def wait_until(self, is_reached: Callable[[dict[str, int]], bool]) -> None:
        """Wait until the numbers of rows are as they should be."""
        await until(self.rows, is_reached)

    async def sell(self, instance: Instance, number: int) -> list[str]:
        """Bring so many orders to each final state; return the ids."""
        sold = await asyncio.gather(*(self._sell_one(instance, each) for each in range(number)))
        return list(sold)

    async def _sell_one(self, instance: Instance, number: int) -> str:
        request = order_of(f"customer-{number % 3}")
        if number % 5 == 0:
            request.payment_method = "pm_declined"
        order = (await instance.orders.CreateOrder(request, timeout=WAIT_S)).order
        order_id = order.order_id
        if order.state != pb.ORDER_STATE_CONFIRMED:
            return order_id
        pay = self.orders_and_payments.pay
        amount, payment_id = order.total.minor_units, order.payment_id
        await pay(summary_events.captured(order_id, amount, payment_id=payment_id))
        if number % 5 == 1:
            await instance.orders.CancelOrder(cancel_of(order_id))
            await pay(self._refunded(order_id))
            return order_id
        await instance.orders.FulfillOrder(fulfill_of(order_id))
        if number % 5 == 2:
            await instance.orders.ReturnOrder(return_of(order_id))
            await pay(self._refunded(order_id))
        return order_id

    def _refunded(self, order_id: str) -> Event:
        """The event of the refund that payment made of an order."""
        payment = self.orders_and_payments.order_service.payment.of_order(order_id)
        assert payment is not None
        refund = payment.refunds[0]
        return summary_events.event_of(
            payment.payment_id,
            RefundSucceeded(
                order_id=order_id,
                payment_id=payment.payment_id,
                refund_id=refund.refund_id,
                request_id=refund.request_id,
                amount=refund.amount,
            ),
        )


async def until(read: Callable[[], Awaitable[T]], is_reached: Callable[[T], bool]) -> T:
    """Read again and again until what is read is as it should be."""
    while True:
        if is_reached(found := await read()):
            return found
        await CLOCK.sleep(0.1)


async def logged(lines: Sequence[EventDict], event: str) -> EventDict:
    """The first line of an event, as soon as it is there."""

    async def found() -> list[EventDict]:
        return [each for each in lines if each["event"] == event]

    return (await until(found, bool))[0]


def _rows(connection: Connection) -> dict[str, int]:
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in GROWING
    }
