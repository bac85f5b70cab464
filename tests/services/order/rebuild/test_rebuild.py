"""Rebuilding the read models while orders are placed: build, compare with the live ones, swap."""

import asyncio

import pytest
from sqlalchemy import Connection, inspect, select
from tradepost.order.v1 import order_service_pb2 as rpc

from discovery.clock import SystemClock
from services.chassis.store.database import Database
from services.order.rebuild import shadow_tables
from services.order.rebuild.command_line import rebuild_of, to_text
from services.order.rebuild.procedure import Rebuild, RebuildError
from services.order.store.tables import ORDER_VIEW
from services.order.summary.summary_tables import summary_tables
from tests.support.limits import WAIT_S
from tests.support.order import summary_events
from tests.support.order.order_service import Instance, cancel_of, order_of
from tests.support.order.orders_and_payment_feed import (
    OrdersAndPaymentFeed,
    open_orders_and_payment_feed,
    summary_of,
)
from tests.support.store.databases import Databases


def a_rebuild(database: Database, orders_and_payments: OrdersAndPaymentFeed) -> Rebuild:
    return rebuild_of(
        database,
        orders_and_payments.payments.channel,
        clock=SystemClock(),
        rng=orders_and_payments.order_service.rng,
    )


async def sell(
    orders_and_payments: OrdersAndPaymentFeed, instance: Instance, customer: str, *, number: int
) -> int:
    """Place paid orders, cancel one in three of them, and return the position of the last."""
    position = 0
    for each in range(number):
        created = await instance.orders.CreateOrder(order_of(customer))
        order_id, position = created.order.order_id, created.position
        await orders_and_payments.pay(summary_events.captured(order_id, 100))
        if each % 3 == 0:
            cancelled = await instance.orders.CancelOrder(cancel_of(order_id))
            position = cancelled.position
            await orders_and_payments.pay(summary_events.refunded(order_id, 100))
    return position


def schema(connection: Connection) -> dict[str, object]:
    """Read the columns, keys and indexes of the read models."""
    seen = inspect(connection)
    return {
        table.name: (
            [
                (column["name"], str(column["type"]), column["nullable"])
                for column in seen.get_columns(table.name)
            ],
            seen.get_pk_constraint(table.name)["constrained_columns"],
            sorted(str(index["column_names"]) for index in seen.get_indexes(table.name)),
        )
        for table in (ORDER_VIEW, *summary_tables().all)
    }


def contents(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    """Read every row of the read models."""
    return {
        table.name: sorted(map(tuple, connection.execute(select(table))))
        for table in (ORDER_VIEW, *summary_tables().all)
    }


async def test_a_rebuild_during_orders_ends_equal_and_is_swapped_in(
    databases: Databases,
) -> None:
    """Two instances place orders during the rebuild; none is lost, and both go on afterwards."""
    async with (
        open_orders_and_payment_feed(databases) as orders_and_payments,
        orders_and_payments.order_service.instance() as first,
        orders_and_payments.order_service.instance("second") as second,
        orders_and_payments.operator() as database,
        asyncio.timeout(WAIT_S),
    ):
        await sell(orders_and_payments, first, "ann", number=10)
        before = await database.read(schema)
        for _ in range(3):
            selling = asyncio.gather(
                sell(orders_and_payments, first, "ann", number=6),
                sell(orders_and_payments, second, "bob", number=6),
            )
            report = await a_rebuild(database, orders_and_payments).run()
            assert [each.equal for each in report.compared] == [True, True]
            assert report.swapped
            assert "swapped" in to_text(report)
            await selling
            assert await database.read(schema) == before
            assert not await database.read(shadow_tables.leftovers)

        at = await orders_and_payments.pay(summary_events.captured("ord_nobody", 1))
        position = await sell(orders_and_payments, second, "bob", number=1)
        ann = await summary_of(first.orders, "ann", position=position, payment_position=at + 2)
        bob = await summary_of(second.orders, "bob", position=position, payment_position=at + 2)
        listed = await first.orders.ListOrders(
            rpc.ListOrdersRequest(page_size=1_000, min_position=position)
        )
    assert (ann.order_count, bob.order_count, len(listed.orders)) == (28, 19, 47)
    assert ann.spend[0].captured_amount.minor_units == 2_800


async def test_a_rebuild_changes_nothing(databases: Databases) -> None:
    """Without new orders the new tables have exactly the rows of the old ones."""
    async with (
        open_orders_and_payment_feed(databases) as orders_and_payments,
        orders_and_payments.order_service.instance() as instance,
        orders_and_payments.operator() as database,
        asyncio.timeout(WAIT_S),
    ):
        position = await sell(orders_and_payments, instance, "ann", number=4)
        await summary_of(instance.orders, "ann", position=position, payment_position=6)
        before = await database.read(contents)
        assert (await a_rebuild(database, orders_and_payments).run()).swapped
        assert await database.read(contents) == before
        assert all(before.values())


async def test_a_different_view_is_replaced_only_on_request(
    databases: Databases,
) -> None:
    """The events are right, but an operator must know before the tables are swapped."""
    async with (
        open_orders_and_payment_feed(databases) as orders_and_payments,
        orders_and_payments.order_service.instance() as instance,
        orders_and_payments.operator() as database,
        asyncio.timeout(WAIT_S),
    ):
        position = await sell(orders_and_payments, instance, "ann", number=2)
        seen = await summary_of(instance.orders, "ann", position=position, payment_position=3)
        await database.write(_tamper)
        report = await a_rebuild(database, orders_and_payments).run()
        assert ([each.equal for each in report.compared], report.swapped) == ([True, False], False)
        assert "DIFFERENT" in to_text(report)
        spoilt = await summary_of(instance.orders, "ann")
        assert spoilt.order_count == 77
        assert (await a_rebuild(database, orders_and_payments).run(replace=True)).swapped
        assert await summary_of(instance.orders, "ann") == seen


def _tamper(connection: Connection) -> None:
    totals = summary_tables().totals
    connection.execute(totals.update().values(order_count=77))


async def test_an_interrupted_rebuild_starts_again(databases: Databases) -> None:
    """Its tables are removed; until its lease expires no other rebuild can start."""
    async with (
        open_orders_and_payment_feed(databases) as orders_and_payments,
        orders_and_payments.order_service.instance() as instance,
        orders_and_payments.operator() as database,
        asyncio.timeout(WAIT_S),
    ):
        await sell(orders_and_payments, instance, "ann", number=4)
        await database.write(shadow_tables.create)
        died = a_rebuild(database, orders_and_payments)
        claim = await database.write(died._take)
        assert claim is not None
        with pytest.raises(RebuildError, match="another rebuild"):
            await a_rebuild(database, orders_and_payments).run()
        await database.write(died._leases.release, claim)
        assert (await a_rebuild(database, orders_and_payments).run()).swapped
        assert not await database.read(shadow_tables.leftovers)
