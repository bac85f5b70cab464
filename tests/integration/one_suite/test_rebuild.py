"""The rebuild of read models, run by an operator next to a running suite."""

import asyncio
import os
import sys
from uuid import UUID, uuid5

import pytest
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

import discovery
from scripts.suite.cluster import Cluster
from tests.support.suite.programs import run

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMESPACE = UUID("5b1d1a52-0001-4a0e-9d0f-6b8f0f6f2a11")
ORDERS = 30


async def test_an_operator_rebuilds_the_read_models_while_orders_come(suite: Cluster) -> None:
    """Rebuilt read models equal the old ones, go live, and miss no order."""
    slot = next(slot for slot in suite.slots if slot.service == "order")
    async with discovery.open_channel(suite.target("order")) as channel:
        stub = OrderServiceStub(channel)

        async def order(number: int) -> int:
            created = await stub.CreateOrder(
                rpc.CreateOrderRequest(
                    request_id=str(uuid5(NAMESPACE, str(number))),
                    customer_id="rebuilt",
                    lines=[rpc.CreateOrderLine(sku="CRUNCHY-ARMCHAIR", quantity=1)],
                    payment_method="pm_visa",
                )
            )
            return created.position

        async def shop() -> int:
            return max([await order(number) for number in range(ORDERS)])

        shopping = asyncio.create_task(shop())
        result = await run(
            sys.executable,
            *("-m", "services.order", "rebuild"),
            environment={**os.environ, **slot.environment},
        )
        position = await shopping
        summary = await stub.GetCustomerSummary(
            rpc.GetCustomerSummaryRequest(customer_id="rebuilt", min_position=position)
        )
        listed = await stub.ListOrders(
            rpc.ListOrdersRequest(customer_id="rebuilt", page_size=100, min_position=position)
        )
    assert (result.code, result.err) == (0, "")
    assert result.out.count("equal") == 2
    assert result.out.endswith("swapped\n")
    assert summary.summary.order_count == len(listed.orders) == ORDERS
    assert {each.order_id for each in listed.orders} >= {summary.summary.last_order_id}
