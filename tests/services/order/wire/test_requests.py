"""Invalid requests: all bad fields are named at once, and nothing is written."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
import pytest_asyncio
from tradepost.order.admin.v1 import saga_admin_service_pb2 as admin
from tradepost.order.v1 import order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc

from services.order.store.tables import MIGRATIONS
from tests.support.chassis.rich_status import refusal
from tests.support.order.order_service import (
    Instance,
    OrderService,
    cancel_of,
    create,
    new_request_id,
    no_order_id,
    order_of,
)
from tests.support.store.databases import Databases


@pytest_asyncio.fixture
async def instance(databases: Databases) -> AsyncIterator[Instance]:
    """An instance without orders."""
    async with OrderService(await databases.migrated(MIGRATIONS, "order")).instance() as instance:
        yield instance


async def test_what_is_not_offered_is_unimplemented(instance: Instance) -> None:
    """Without feeds, choreography and customer summaries are UNIMPLEMENTED."""
    request = order_of()
    request.coordination = order_pb2.COORDINATION_CHOREOGRAPHED
    refused = await refusal(instance.orders.CreateOrder(request))
    assert (refused.reason, refused.facts) == (
        "NOT_IMPLEMENTED",
        {"feature": "coordination CHOREOGRAPHED"},
    )
    page = await instance.orders.ListOrders(rpc.ListOrdersRequest())
    assert (page.position, len(page.orders)) == (0, 0)


async def test_every_bad_field_of_an_order_is_named_at_once(instance: Instance) -> None:
    """One answer names everything that is wrong, and nothing is written."""
    request = rpc.CreateOrderRequest(
        request_id="yesterday",
        customer_id="two words",
        payment_method="",
        lines=[
            rpc.CreateOrderLine(sku="", quantity=1),
            rpc.CreateOrderLine(sku="milk", quantity=0),
            rpc.CreateOrderLine(sku="tea", quantity=1_000_001),
        ],
        coordination=7,  # type: ignore[arg-type]
    )
    request.expected_total.currency_code = "dollars"
    request.expected_total.minor_units = -1
    refused = await refusal(instance.orders.CreateOrder(request))
    assert set(refused.bad_fields) == {
        "request_id",
        "customer_id",
        "payment_method",
        "lines[0].sku",
        "lines[1].quantity",
        "lines[2].quantity",
        "expected_total.currency_code",
        "expected_total.minor_units",
        "coordination",
    }
    assert (await instance.orders.ListOrders(rpc.ListOrdersRequest())).position == 0


@pytest.mark.parametrize("number", [0, 501])
async def test_an_order_has_1_to_500_lines(instance: Instance, number: int) -> None:
    """An order without lines and one with 501 lines are refused."""
    request = order_of()
    del request.lines[:]
    request.lines.extend(rpc.CreateOrderLine(sku=f"s{n}", quantity=1) for n in range(number))
    refused = await refusal(instance.orders.CreateOrder(request))
    assert set(refused.bad_fields) == {"lines"}


async def test_bad_queries_are_refused_as_well(instance: Instance) -> None:
    """Bad ids, states, versions, sizes and reasons are refused."""
    orders, sagas = instance.orders, instance.admin
    order_id = no_order_id()
    bad: dict[str, Awaitable[Any]] = {
        "order_id": orders.GetOrder(rpc.GetOrderRequest(order_id="pay_1")),
        "min_version": orders.GetOrder(rpc.GetOrderRequest(order_id=order_id, min_version=-1)),
        "as_of_version": orders.GetOrder(
            rpc.GetOrderRequest(order_id=order_id, min_version=3, as_of_version=2)
        ),
        "order_ids": orders.BatchGetOrders(rpc.BatchGetOrdersRequest()),
        "order_ids[0]": orders.BatchGetOrders(rpc.BatchGetOrdersRequest(order_ids=["x"])),
        "states[0]": orders.ListOrders(rpc.ListOrdersRequest(states=[99])),  # type: ignore[list-item]
        "page_size": orders.ListOrders(rpc.ListOrdersRequest(page_size=-1)),
        "min_position": orders.ListOrders(rpc.ListOrdersRequest(min_position=-1)),
        "reason": orders.CancelOrder(
            rpc.CancelOrderRequest(request_id=new_request_id(), order_id=order_id, reason="x" * 501)
        ),
        "request_id": orders.FulfillOrder(rpc.FulfillOrderRequest(order_id=order_id)),
        "state": sagas.ListSagas(admin.ListSagasRequest(state=99)),  # type: ignore[arg-type]
    }
    for field, call in bad.items():
        refused = await refusal(call)
        assert (refused.reason, set(refused.bad_fields)) == ("INVALID_REQUEST", {field})


async def test_a_used_request_id_is_bound_to_its_method_and_order(instance: Instance) -> None:
    """The same id for another order is refused; with another method it is another request."""
    orders = instance.orders
    first, other = await create(orders), await create(orders)
    cancel = cancel_of(first.order_id)
    await orders.CancelOrder(cancel)
    cancel.order_id = other.order_id
    assert (await refusal(orders.CancelOrder(cancel))).reason == "REQUEST_ID_REUSED"
    fulfill = rpc.FulfillOrderRequest(request_id=cancel.request_id, order_id=other.order_id)
    response = await orders.FulfillOrder(fulfill)
    assert response.order.state == order_pb2.ORDER_STATE_FULFILLED
