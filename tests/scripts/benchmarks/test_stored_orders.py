"""Stored orders are copies, and as complete as their originals."""

import random
from collections import Counter
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from tradepost.event.v1.event_service_pb2 import GetFeedRequest
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub
from tradepost.inventory.v1.inventory_service_pb2 import ListStockRequest
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.order.v1.order_pb2 import Order, OrderState
from tradepost.order.v1.order_service_pb2 import (
    FulfillOrderRequest,
    GetCustomerSummaryRequest,
    GetOrderRequest,
    ListOrdersRequest,
)
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub
from tradepost.payment.v1.payment_pb2 import PaymentState
from tradepost.payment.v1.payment_service_pb2 import ListPaymentsRequest
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

import discovery
from discovery.clock import SystemClock
from scripts.benchmarks.shared.demand import Demand, read_demand
from scripts.benchmarks.shared.measured_suite import MeasuredSuite
from scripts.benchmarks.stored.prefilled_suite import MADE_FROM, SuiteKind, open_prefilled_suite
from scripts.suite.processes.slot import THIS_INSTALLATION
from scripts.tools.paths import ROOT

ORIGINALS = 3
# The next multiple of three.
WANTED, STORED = 8, 9


def small_demand() -> Demand:
    """The demand of three real baskets."""
    demand = read_demand()
    baskets = demand.baskets[:ORIGINALS]
    skus = {sku for basket in baskets for sku, _ in basket.lines}
    products = {sku: demand.products[sku] for sku in skus}
    return replace(demand, baskets=baskets, products=products)


def opened(folder: Path, *, postgres: bool) -> AbstractAsyncContextManager[MeasuredSuite]:
    # Nothing is timed, so instances may start as forks.
    kind = SuiteKind(postgres, WANTED, instances=1, installation=THIS_INSTALLATION)
    return open_prefilled_suite(
        folder, small_demand(), kind, clock=SystemClock(), rng=random.Random(1)
    )


@pytest.mark.parametrize(("database", "fresh"), [("sqlite", 1), ("postgres", 0)])
async def test_stored_orders_are_whole_orders(tmp_path: Path, database: str, fresh: int) -> None:
    """View, stream, stock, payment, summary and feed agree on every copy, and a copy can be
    fulfilled.

    A suite that is opened on the same folder again has the same orders, and those placed since.
    """
    for request in read_demand().requests(fresh, random.Random(3)):
        async with opened(tmp_path, postgres=database == "postgres") as running:
            await running.contender().place(request)
    async with (
        opened(tmp_path, postgres=database == "postgres") as running,
        discovery.open_channel(running.cluster.target("order")) as orders,
        discovery.open_channel(running.cluster.target("inventory")) as inventory,
        discovery.open_channel(running.cluster.target("payment")) as payments,
    ):
        stub = OrderServiceStub(orders)
        listed = await read_both_ways(stub)
        feed = await EventFeedServiceStub(orders).GetFeed(GetFeedRequest())
        stock = await InventoryServiceStub(inventory).ListStock(ListStockRequest(page_size=500))
        paid = await PaymentServiceStub(payments).ListPayments(ListPaymentsRequest(page_size=500))
        summed_up = await summaries(stub, listed, feed.head_position)
        fulfilled = await fulfill(stub, min(listed))

    assert len(listed) == STORED + fresh
    assert {order.state for order in listed.values()} == {OrderState.ORDER_STATE_CONFIRMED}
    assert feed.head_position == 5 * len(listed)
    assert committed(listed) == {
        level.sku: level.committed_count for level in stock.stock if level.committed_count
    }
    assert {payment.state for payment in paid.payments} == {PaymentState.PAYMENT_STATE_CAPTURED}
    assert {payment.order_id: payment.amount.minor_units for payment in paid.payments} == {
        order_id: order.total.minor_units for order_id, order in listed.items()
    }
    assert summed_up == spent(listed)
    assert fulfilled.state == OrderState.ORDER_STATE_FULFILLED


@pytest.mark.parametrize("pattern", MADE_FROM)
def test_stored_orders_depend_on_files_that_exist(pattern: str) -> None:
    """Stored orders are made again when a migration or the code that copies them changes."""
    assert list(ROOT.glob(pattern))


async def read_both_ways(orders: OrderServiceAsyncStub) -> dict[str, Order]:
    """All orders of the view; each must equal the order that its stream makes."""
    listed = (await orders.ListOrders(ListOrdersRequest(page_size=500))).orders
    for order in listed:
        assert (await orders.GetOrder(GetOrderRequest(order_id=order.order_id))).order == order
    return {order.order_id: order for order in listed}


async def fulfill(orders: OrderServiceAsyncStub, order_id: str) -> Order:
    """Fulfill an order; the oldest id is that of a copy."""
    request_id = "5d0f64a4-8a3c-4a7e-9a47-5a8f4c0e6a11"
    request = FulfillOrderRequest(request_id=request_id, order_id=order_id)
    return (await orders.FulfillOrder(request, timeout=60)).order


def committed(orders: dict[str, Order]) -> Counter[str]:
    """The units of each item in confirmed orders."""
    units: Counter[str] = Counter()
    for order in orders.values():
        for line in order.lines:
            units[line.sku] += line.quantity
    return units


async def summaries(
    stub: OrderServiceAsyncStub, orders: dict[str, Order], position: int
) -> dict[str, tuple[int, int]]:
    """Confirmed orders and captured money by customer, from the customer summary."""
    found = {}
    for customer_id in {order.customer_id for order in orders.values()}:
        ask = GetCustomerSummaryRequest(customer_id=customer_id, min_position=position)
        summary = (await stub.GetCustomerSummary(ask, timeout=60)).summary
        taken = sum(one.captured_amount.minor_units for one in summary.spend)
        found[customer_id] = (summary.confirmed_count, taken)
    return found


def spent(orders: dict[str, Order]) -> dict[str, tuple[int, int]]:
    """Confirmed orders and money by customer, from the orders themselves."""
    counts: Counter[str] = Counter(order.customer_id for order in orders.values())
    taken: Counter[str] = Counter()
    for order in orders.values():
        taken[order.customer_id] += order.total.minor_units
    return {customer_id: (counts[customer_id], taken[customer_id]) for customer_id in counts}
