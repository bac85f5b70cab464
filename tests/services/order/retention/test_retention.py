"""The retention of orders: archived first, then removed with all they own, on both databases."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import grpc
import pytest
from sqlalchemy import Connection, func, select
from structlog.testing import capture_logs
from structlog.typing import EventDict
from tradepost.event.v1 import event_service_pb2 as feed_rpc
from tradepost.event.v1.event_pb2 import Event
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub
from tradepost.order.v1 import order_pb2 as pb
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.payment.v1.payment_event_pb2 import RefundSucceeded

from services.chassis.log.event_table import EVENT
from services.chassis.request.request_ids import REQUEST
from services.chassis.retention.archive_reader import read_archive
from services.chassis.retention.settings import Retention
from services.chassis.store.database import Database
from services.chassis.work.lease_table import LEASE
from services.order.rebuild import command_line
from services.order.rebuild.command_line import rebuild_of
from services.order.rebuild.procedure import RebuildError
from services.order.store.tables import ORDER_VIEW
from services.order.summary.summary_tables import summary_tables
from tests.support.chassis.rich_status import refusal
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
from tests.support.order.orders_and_payment_feed import (
    OrdersAndPaymentFeed,
    open_orders_and_payment_feed,
    summary_of,
)
from tests.support.store.databases import Databases

T = TypeVar("T")

KEEP = timedelta(days=30)
SUMMARY = summary_tables()
GROWING = (EVENT, REQUEST, ORDER_VIEW, SUMMARY.orders, SUMMARY.payments, LEASE)


@dataclass
class Shop:
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
        order = (await instance.orders.CreateOrder(request)).order
        order_id = order.order_id
        if order.state != pb.ORDER_STATE_CONFIRMED:
            return order_id
        pay = self.orders_and_payments.pay
        await pay(summary_events.captured(order_id, order.total.minor_units))
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
        await asyncio.sleep(0.02)


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


@pytest.fixture
async def shop(databases: Databases, tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop with an empty archive."""
    clock = ShiftedClock()
    async with (
        open_orders_and_payment_feed(databases, clock=clock) as orders_and_payments,
        orders_and_payments.operator() as database,
    ):
        yield Shop(orders_and_payments, database, clock, tmp_path)


async def test_a_soak_at_retention_stays_flat(shop: Shop) -> None:
    """After each month the same rows are left, while archive and customer summaries have all.

    The order that is not settled stays, with its events below those that were removed.
    """
    async with shop.retaining() as instance:
        stays = (await instance.orders.CreateOrder(order_of("ann"))).order
        await shop.orders_and_payments.pay(summary_events.captured(stays.order_id, 200))
        left = []
        for month in range(1, 5):
            await shop.sell(instance, 30)
            assert (await shop.rows())["order_view"] == 31
            shop.clock.ahead = month * 2 * KEEP
            await shop.wait_until(lambda rows: rows["order_view"] == 1)
            left.append(await shop.rows())
        assert left[1:] == left[:-1]

        orders = await instance.orders.GetOrder(rpc.GetOrderRequest(order_id=stays.order_id))
        assert orders.order.state == pb.ORDER_STATE_CONFIRMED
        summaries = [await summary_of(instance.orders, f"customer-{each}") for each in range(3)]
        summary = await summary_of(instance.orders, "customer-0")

    archived = list(read_archive(shop.archive, "order"))
    assert len(archived) == len({each.subject for each in archived}) == 120
    assert sum(each.order_count for each in summaries) == 120
    assert summary.spend[0].captured_amount.minor_units > 0


async def test_the_feed_begins_after_what_was_removed(shop: Shop) -> None:
    """A removed position is OUT_OF_RANGE with the oldest one; an order that is left is whole."""
    async with shop.retaining() as instance:
        stays = (await instance.orders.CreateOrder(order_of("ann"))).order.order_id
        (gone,) = await shop.sell(instance, 1)
        shop.clock.ahead = 2 * KEEP
        await shop.wait_until(lambda rows: rows["order_view"] == 1)
        feed = EventFeedServiceStub(instance.channel)
        extent = await feed.GetFeed(feed_rpc.GetFeedRequest())
        following = feed.SubscribeEvents(feed_rpc.SubscribeEventsRequest(after_position=1))
        refused = await refusal(following.read())
        of_stays = await feed.ReadEvents(feed_rpc.ReadEventsRequest(aggregate_id=stays))
        of_gone = await refusal(feed.ReadEvents(feed_rpc.ReadEventsRequest(aggregate_id=gone)))
        not_found = await refusal(instance.orders.GetOrder(rpc.GetOrderRequest(order_id=gone)))
        (next_one,) = await shop.sell(instance, 1)
        page = await feed.ReadEvents(
            feed_rpc.ReadEventsRequest(after_position=extent.oldest_position - 1)
        )

    assert extent.oldest_position == extent.head_position + 1
    for each in (refused, of_gone):
        assert (each.code, each.reason) == (grpc.StatusCode.OUT_OF_RANGE, "POSITION_TRUNCATED")
        assert each.facts["oldest_position"] == str(extent.oldest_position)
    assert [each.aggregate_version for each in of_stays.events] == [1, 2, 3, 4, 5]
    assert not_found.reason == "ORDER_NOT_FOUND"
    assert {each.aggregate_id for each in page.events} == {next_one}


async def test_a_request_id_lives_as_long_as_its_order(shop: Shop) -> None:
    """A repeated request finds its order until that is removed; from then on it is a new one."""
    async with shop.retaining() as instance:
        request = order_of("ann", method="pm_declined")
        order_id = (await instance.orders.CreateOrder(request)).order.order_id
        shop.clock.ahead = KEEP - timedelta(minutes=1)
        await asyncio.sleep(0.2)
        repeated = (await instance.orders.CreateOrder(request)).order.order_id
        shop.clock.ahead = 2 * KEEP
        await shop.wait_until(lambda rows: rows["request"] == 0)
        again = (await instance.orders.CreateOrder(request)).order.order_id

    assert repeated == order_id != again


async def test_what_a_consumer_has_not_applied_stays(shop: Shop) -> None:
    """Nothing is removed while one consumer is behind, or doesn't say how far it is."""
    async with grpc.aio.insecure_channel("unix:/nobody/listens/here") as nobody:
        with capture_logs() as lines:
            async with shop.retaining(nobody) as instance:
                await shop.sell(instance, 5)
                shop.clock.ahead = 2 * KEEP
                await logged(lines, "retention_waits")
                assert (await shop.rows())["order_view"] == 5
    assert not list(shop.archive.iterdir())

    await shop.database.write(
        lambda c: c.exec_driver_sql(
            "UPDATE subscription SET refusal = 'HISTORY_CHANGED', position = 3, event_id = 'evt_x',"
            " event_at = epoch || '/3' WHERE consumer = 'order-summary-of-orders'"
        ).close()
    )
    async with shop.retaining():
        await asyncio.sleep(0.5)
        assert (await shop.rows())["order_view"] == 5


async def test_a_full_disk_removes_nothing(shop: Shop) -> None:
    """A line names folder and setting; when there is room again, the retention goes on."""
    full = replace(shop, archive=Path("/proc/nowhere"))
    with capture_logs() as lines:
        async with full.retaining() as instance:
            await shop.sell(instance, 5)
            shop.clock.ahead = 2 * KEEP
            stopped = await logged(lines, "retention_stopped")
            assert (await shop.rows())["order_view"] == 5
    assert stopped["folder"] == "/proc/nowhere"
    assert stopped["setting"] == "TRADEPOST_RETENTION_FOLDER"

    async with shop.retaining():
        await shop.wait_until(lambda rows: rows["order_view"] == 0)


async def test_a_rebuild_counts_archived_orders(shop: Shop) -> None:
    """The rebuilt summary has what the archive has; without the archive a rebuild is refused."""
    async with shop.retaining() as instance:
        await shop.sell(instance, 20)
        shop.clock.ahead = 2 * KEEP
        await shop.wait_until(lambda rows: rows["order_view"] == 0)
        await shop.sell(instance, 10)
        payments = shop.orders_and_payments.payments.channel
        rng = shop.orders_and_payments.order_service.rng
        with pytest.raises(RebuildError, match="TRADEPOST_RETENTION_FOLDER"):
            await rebuild_of(shop.database, payments, clock=shop.clock, rng=rng).run()
        shop.clock.ahead += timedelta(hours=2)
        rebuild = rebuild_of(
            shop.database, payments, archive=shop.archive, clock=shop.clock, rng=rng
        )
        report = await rebuild.run()

    assert [each.equal for each in report.compared] == [True, True]
    assert report.swapped


async def test_an_archived_order_can_be_read(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command shows the order, its events and its requests, or says that it isn't there."""
    async with shop.retaining() as instance:
        sold = await shop.sell(instance, 4)
        shop.clock.ahead = 2 * KEEP
        await shop.wait_until(lambda rows: rows["order_view"] == 0)
    rng = shop.orders_and_payments.order_service.rng
    folder = str(shop.archive)
    capsys.readouterr()

    assert await command_line.main(["archive", folder, sold[2]], rng=rng) == 0
    (shown,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert shown["order"]["orderId"] == sold[2]
    assert shown["order"]["state"] == "ORDER_STATE_RETURNED"
    versions = [int(each["aggregateVersion"]) for each in shown["events"]]
    assert versions == list(range(1, int(shown["order"]["version"]) + 1))
    methods = {"CreateOrder", "FulfillOrder", "ReturnOrder"}
    assert {each["method"] for each in shown["requests"]} == methods

    assert await command_line.main(["archive", folder], rng=rng) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert await command_line.main(["archive", folder, "ord_x"], rng=rng) == 1
    assert "ord_x is not archived" in capsys.readouterr().err
