"""The orders that a benchmark finds stored: copies, and as good as their originals."""

import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from tradepost.event.v1.event_service_pb2 import GetFeedRequest
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub
from tradepost.inventory.v1.inventory_service_pb2 import ListStockRequest
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.order.v1.order_pb2 import Order, OrderState
from tradepost.order.v1.order_service_pb2 import (
    FulfillOrderRequest,
    GetOrderRequest,
    ListOrdersRequest,
)
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub
from tradepost.payment.v1.payment_pb2 import PaymentState
from tradepost.payment.v1.payment_service_pb2 import ListPaymentsRequest
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

import discovery
from discovery.clock import SystemClock
from scripts.benchmarks import suite
from scripts.benchmarks.orders import read_demand
from scripts.benchmarks.suite import Suite

ORIGINALS = 3
# The next multiples of three.
WANTED, STORED = 5, 6
WANTED_LATER, STORED_LATER = 8, 9


@asynccontextmanager
async def small_suite(folder: Path) -> AsyncIterator[Suite]:
    """A suite that sells what is in three real baskets."""
    demand = read_demand()
    baskets = demand.baskets[:ORIGINALS]
    skus = {sku for basket in baskets for sku, _ in basket.lines}
    products = {sku: demand.products[sku] for sku in skus}
    async with suite.opened(
        folder,
        replace(demand, baskets=baskets, products=products),
        clock=SystemClock(),
        rng=random.Random(1),
    ) as running:
        yield running


async def test_stored_orders_are_whole_orders(tmp_path: Path) -> None:
    """View, stream, stock, payment and feed agree on every copy, and a copy can be fulfilled."""
    requests = read_demand().requests(ORIGINALS, random.Random(2))
    async with small_suite(tmp_path) as running:
        assert await running.store(WANTED, requests) == STORED
        (fresh,) = read_demand().requests(1, random.Random(3))
        await running.half().place(fresh)
        assert await running.store(WANTED_LATER, requests) == STORED_LATER

        async with (
            discovery.open_channel(running.cluster.target("order")) as orders,
            discovery.open_channel(running.cluster.target("inventory")) as inventory,
            discovery.open_channel(running.cluster.target("payment")) as payments,
        ):
            listed = await read_both_ways(OrderServiceStub(orders))
            feed = await EventFeedServiceStub(orders).GetFeed(GetFeedRequest())
            stock = await InventoryServiceStub(inventory).ListStock(ListStockRequest(page_size=500))
            paid = await PaymentServiceStub(payments).ListPayments(
                ListPaymentsRequest(page_size=500)
            )
            fulfilled = await fulfill(OrderServiceStub(orders), min(listed))

    assert len(listed) == STORED_LATER + 1
    assert {order.state for order in listed.values()} == {OrderState.ORDER_STATE_CONFIRMED}
    assert feed.head_position == 5 * len(listed)
    assert committed(listed) == {
        level.sku: level.committed_count for level in stock.stock if level.committed_count
    }
    assert {payment.state for payment in paid.payments} == {PaymentState.PAYMENT_STATE_CAPTURED}
    assert {payment.order_id: payment.amount.minor_units for payment in paid.payments} == {
        order_id: order.total.minor_units for order_id, order in listed.items()
    }
    assert fulfilled.state == OrderState.ORDER_STATE_FULFILLED


async def read_both_ways(orders: OrderServiceAsyncStub) -> dict[str, Order]:
    """Every order as the view has it, which must be what its stream says."""
    listed = (await orders.ListOrders(ListOrdersRequest(page_size=500))).orders
    for order in listed:
        assert (await orders.GetOrder(GetOrderRequest(order_id=order.order_id))).order == order
    return {order.order_id: order for order in listed}


async def fulfill(orders: OrderServiceAsyncStub, order_id: str) -> Order:
    """The oldest id is that of a copy."""
    request_id = "5d0f64a4-8a3c-4a7e-9a47-5a8f4c0e6a11"
    request = FulfillOrderRequest(request_id=request_id, order_id=order_id)
    return (await orders.FulfillOrder(request, timeout=60)).order


def committed(orders: dict[str, Order]) -> Counter[str]:
    """Units of each item that confirmed orders wait for."""
    units: Counter[str] = Counter()
    for order in orders.values():
        for line in order.lines:
            units[line.sku] += line.quantity
    return units
