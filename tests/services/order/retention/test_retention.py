"""The retention of orders: archived first, then removed with all they own, on both databases."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import grpc
import pytest
from structlog.testing import capture_logs
from tradepost.event.v1 import event_service_pb2 as feed_rpc
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub
from tradepost.order.v1 import order_pb2 as pb
from tradepost.order.v1 import order_service_pb2 as rpc

from services.chassis.log.event_horizon import raise_horizon
from services.chassis.retention.archive_reader import read_archive
from services.order.rebuild import command_line
from services.order.rebuild.command_line import rebuild_of
from services.order.rebuild.procedure import RebuildError
from tests.support.chassis.rich_status import refusal
from tests.support.clock.shifted_clock import ShiftedClock
from tests.support.limits import WAIT_S
from tests.support.order import summary_events
from tests.support.order.order_service import (
    order_of,
)
from tests.support.order.orders_and_payment_feed import (
    open_orders_and_payment_feed,
    summary_of,
)
from tests.support.order.retaining_shop import CLOCK, KEEP, RetainingShop, logged
from tests.support.store.databases import Databases
from tests.support.telemetry.exporting import exported_metrics
from tests.support.telemetry.scrape import scraped_once


@pytest.fixture
async def shop(databases: Databases, tmp_path: Path) -> AsyncIterator[RetainingShop]:
    """A shop with an empty archive."""
    clock = ShiftedClock()
    async with (
        open_orders_and_payment_feed(databases, clock=clock) as orders_and_payments,
        orders_and_payments.operator() as database,
    ):
        yield RetainingShop(orders_and_payments, database, clock, tmp_path)


async def test_a_soak_at_retention_stays_flat(shop: RetainingShop) -> None:
    """After each month the same rows are left, while archive and customer summaries have all.

    The order that is not settled stays, with its events below those that were removed.
    """
    async with shop.retaining() as instance:
        stays = (await instance.orders.CreateOrder(order_of("ann"), timeout=WAIT_S)).order
        await shop.orders_and_payments.pay(summary_events.captured(stays.order_id, 200))
        left = []
        for month in range(1, 4):
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
    assert len(archived) == len({each.subject for each in archived}) == 90
    assert sum(each.order_count for each in summaries) == 90
    assert summary.spend[0].captured_amount.minor_units > 0


async def test_the_feed_begins_after_what_was_removed(shop: RetainingShop) -> None:
    """A removed position is OUT_OF_RANGE with the oldest one; an order that is left is whole."""
    async with shop.retaining() as instance:
        stays = (await instance.orders.CreateOrder(order_of("ann"), timeout=WAIT_S)).order.order_id
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


async def test_a_request_id_lives_as_long_as_its_order(shop: RetainingShop) -> None:
    """A repeated request finds its order until that is removed; from then on it is a new one."""
    async with shop.retaining() as instance:
        request = order_of("ann", method="pm_declined")
        order_id = (await instance.orders.CreateOrder(request)).order.order_id
        shop.clock.ahead = KEEP - timedelta(minutes=1)
        await CLOCK.sleep(0.2)
        repeated = (await instance.orders.CreateOrder(request)).order.order_id
        shop.clock.ahead = 2 * KEEP
        await shop.wait_until(lambda rows: rows["request"] == 0)
        again = (await instance.orders.CreateOrder(request)).order.order_id

    assert repeated == order_id != again


async def test_what_a_consumer_has_not_applied_stays(shop: RetainingShop) -> None:
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
        await CLOCK.sleep(0.5)
        assert (await shop.rows())["order_view"] == 5


async def test_metrics_tell_how_many_orders_were_removed(shop: RetainingShop) -> None:
    """And that nothing stops the retention."""
    async with exported_metrics() as exported:
        shop.orders_and_payments.order_service.recorders = exported.recorders
        async with shop.retaining() as instance:
            await shop.sell(instance, 5)
            shop.clock.ahead = 2 * KEEP
            await scraped_once(
                exported.port,
                lambda found: (
                    found.value("tradepost_retention_removed_total") == 5
                    and found.value("tradepost_retention_stopped") == 0
                ),
            )


async def test_a_full_disk_removes_nothing(shop: RetainingShop) -> None:
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


async def test_a_rebuild_counts_archived_orders(shop: RetainingShop) -> None:
    """The rebuilt summary has what the archive has; without the archive a rebuild is refused."""
    async with shop.retaining() as instance:
        await shop.sell(instance, 10)
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


async def test_a_rebuild_counts_payments_before_the_beginning_of_their_feed(
    shop: RetainingShop,
) -> None:
    """A retention of payments has removed some, so that their feed begins after the others."""
    source = shop.orders_and_payments.payments
    async with shop.retaining() as instance:
        await shop.sell(instance, 10)
        head = (await source.feed.extent()).head
        # Nothing is removed that a consumer has not applied.
        await shop.wait_until(lambda rows: rows["summary_payment"] == head)
        await source.database.write(partial(raise_horizon, position=head - 2, epoch="any"))
        rebuild = rebuild_of(
            shop.database,
            source.channel,
            archive=shop.archive,
            clock=shop.clock,
            rng=shop.orders_and_payments.order_service.rng,
        )
        report = await rebuild.run()

    assert head > 3
    assert [each.equal for each in report.compared] == [True, True]


async def test_an_archived_order_can_be_read(
    shop: RetainingShop, capsys: pytest.CaptureFixture[str]
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
