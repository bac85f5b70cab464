"""What a customer sees and changes is their own; the rest does not exist for them."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from tradepost.order.v1 import order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub

from services.chassis.request.ownership import LIMITED_TO
from services.chassis.server.layers.layer import ServedMethod
from services.chassis.server.layers.owner_check import WithheldResponseError, owner_check
from tests.support.chassis.rich_status import Refusal, refusal
from tests.support.identity.known_callers import KnownCallers
from tests.support.identity.secure_suite import secure_suite
from tests.support.order.order_service import no_order_id
from tests.support.request_ids.scenarios import add_stock, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLERS = KnownCallers()
ALICE = CALLERS.person("alice", "CUSTOMER", peer="edge")
BOB = CALLERS.person("bob", "CUSTOMER")
CARL = CALLERS.person("carl", "CLERK", "CUSTOMER")
LINE = rpc.CreateOrderLine(sku="milk", quantity=1)
Code = grpc.StatusCode


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def orders(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OrderServiceAsyncStub]:
    """An order service that knows its callers, with milk in stock."""
    async with secure_suite(tmp_path_factory.mktemp("suite"), CALLERS) as suite:
        await add_stock(suite)
        yield OrderServiceStub(suite.channels["order"])


def order_for(customer_id: str = "", **fields: Any) -> rpc.CreateOrderRequest:
    """A request for some milk."""
    return rpc.CreateOrderRequest(
        request_id=new_id(),
        customer_id=customer_id,
        payment_method="pm_visa",
        lines=[LINE],
        **fields,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def order(orders: OrderServiceAsyncStub) -> order_pb2.Order:
    """Alice's confirmed order."""
    return (await orders.CreateOrder(order_for(), metadata=ALICE)).order


def told(refused: Refusal, order_id: str) -> tuple[Any, ...]:
    """Everything that a refusal tells, apart from the id that was asked for."""
    facts = {key: value.replace(order_id, "ID") for key, value in refused.facts.items()}
    message = refused.message.replace(order_id, "ID")
    return refused.code, refused.reason, message, facts, refused.bad_fields, refused.preconditions


async def test_a_customer_need_not_name_themselves(order: order_pb2.Order) -> None:
    """An order without a customer_id belongs to the customer who places it."""
    assert order.customer_id == "alice"
    assert order.state == order_pb2.ORDER_STATE_CONFIRMED


async def test_a_customer_orders_for_nobody_else(orders: OrderServiceAsyncStub) -> None:
    """Another customer's id is refused, also where nothing would be written."""
    for request in (order_for("alice"), order_for("alice", validate_only=True)):
        refused = await refusal(orders.CreateOrder(request, metadata=BOB))
        assert (refused.code, refused.reason) == (Code.PERMISSION_DENIED, "NOT_OWNER")
        assert refused.facts == {"field": "customer_id"}


async def test_a_clerk_orders_for_a_customer(orders: OrderServiceAsyncStub) -> None:
    """Who has a further role that may call is not limited to their own."""
    placed = await orders.CreateOrder(order_for("dora"), metadata=CARL)
    assert placed.order.customer_id == "dora"


@pytest.mark.parametrize(
    "asked",
    [
        lambda stub, order_id, **o: stub.GetOrder(rpc.GetOrderRequest(order_id=order_id), **o),
        lambda stub, order_id, **o: stub.GetOrder(
            rpc.GetOrderRequest(order_id=order_id, min_version=99), **o
        ),
        lambda stub, order_id, **o: stub.GetOrder(
            rpc.GetOrderRequest(order_id=order_id, as_of_version=1), **o
        ),
        lambda stub, order_id, **o: stub.CancelOrder(
            rpc.CancelOrderRequest(request_id=new_id(), order_id=order_id, reason="mine"), **o
        ),
        lambda stub, order_id, **o: stub.WatchOrder(
            rpc.WatchOrderRequest(order_id=order_id), **o
        ).read(),
        lambda stub, order_id, **o: stub.WatchOrder(
            rpc.WatchOrderRequest(order_id=order_id, after_version=99, follow=True), **o
        ).read(),
    ],
    ids=["get", "get_min_version", "get_as_of", "cancel", "watch", "watch_after"],
)
async def test_somebody_elses_order_is_as_one_that_does_not_exist(
    orders: OrderServiceAsyncStub, order: order_pb2.Order, asked: Any
) -> None:
    """Code, reason, message and facts are the same, so bob can't find out what there is."""
    missing = no_order_id()

    hidden = await refusal(asked(orders, order.order_id, metadata=BOB))
    unknown = await refusal(asked(orders, missing, metadata=BOB))

    assert (hidden.code, hidden.reason) == (Code.NOT_FOUND, "ORDER_NOT_FOUND")
    assert told(hidden, order.order_id) == told(unknown, missing)


async def test_an_attempt_to_cancel_changes_nothing(
    orders: OrderServiceAsyncStub, order: order_pb2.Order
) -> None:
    """After bob's attempts the order is what it was."""
    request = rpc.CancelOrderRequest(request_id=new_id(), order_id=order.order_id, reason="mine")
    await refusal(orders.CancelOrder(request, metadata=BOB))

    found = await orders.GetOrder(rpc.GetOrderRequest(order_id=order.order_id), metadata=ALICE)

    assert found.order == order


async def test_owners_and_staff_read_the_order(
    orders: OrderServiceAsyncStub, order: order_pb2.Order
) -> None:
    """Alice, a clerk and an operator see the same order, read and watched."""
    for metadata in (ALICE, CARL, CALLERS.person("olga", "OPERATOR")):
        request = rpc.GetOrderRequest(order_id=order.order_id)
        assert (await orders.GetOrder(request, metadata=metadata)).order == order
        watch = orders.WatchOrder(rpc.WatchOrderRequest(order_id=order.order_id), metadata=metadata)
        assert [each.version async for each in watch][-1] == order.version


async def test_a_list_holds_the_customers_own_orders(
    orders: OrderServiceAsyncStub, order: order_pb2.Order
) -> None:
    """A list without a customer is the caller's own for a customer, and everybody's for staff."""
    await orders.CreateOrder(order_for(), metadata=BOB)

    of_bob = (await orders.ListOrders(rpc.ListOrdersRequest(), metadata=BOB)).orders
    of_all = (await orders.ListOrders(rpc.ListOrdersRequest(), metadata=CARL)).orders
    asked = rpc.ListOrdersRequest(customer_id="alice")
    refused = await refusal(orders.ListOrders(asked, metadata=BOB))

    assert {each.customer_id for each in of_bob} == {"bob"}
    assert {"alice", "bob"} <= {each.customer_id for each in of_all}
    assert refused.reason == "NOT_OWNER"


async def test_pages_of_a_customers_list_belong_together(orders: OrderServiceAsyncStub) -> None:
    """A page token works whether the customer names themselves or not."""
    for _ in range(2):
        await orders.CreateOrder(order_for(), metadata=BOB)
    first = await orders.ListOrders(rpc.ListOrdersRequest(page_size=1), metadata=BOB)
    rest = rpc.ListOrdersRequest(page_size=1, customer_id="bob", page_token=first.next_page_token)
    second = await orders.ListOrders(rest, metadata=BOB)
    assert second.orders[0].order_id != first.orders[0].order_id


async def test_a_summary_is_for_its_customer(orders: OrderServiceAsyncStub) -> None:
    """Another customer's summary is refused."""
    asked = rpc.GetCustomerSummaryRequest(customer_id="alice")
    assert (await refusal(orders.GetCustomerSummary(asked, metadata=BOB))).reason == "NOT_OWNER"


def served(name: str, *, streams: bool = False) -> ServedMethod:
    """A method of the order service, as the stack sees it."""
    path = f"/tradepost.order.v1.OrderService/{name}"
    return ServedMethod(path, False, streams, bytes, bytes)  # noqa: FBT003


async def test_a_servicer_that_forgets_the_owner_is_caught() -> None:
    """A response with somebody else's order is withheld, unary and streamed, as a bug."""
    order = order_pb2.Order(customer_id="alice")

    async def forgetful(_request: Any, _context: Any) -> rpc.GetOrderResponse:
        return rpc.GetOrderResponse(order=order)

    async def forgetful_stream(_request: Any, _context: Any) -> Any:
        yield rpc.WatchOrderResponse(order=order)

    unary = owner_check(served("GetOrder"), forgetful)
    stream = owner_check(served("WatchOrder", streams=True), forgetful_stream)
    for customer in ("alice", ""):
        LIMITED_TO.set(customer)
        assert (await unary(None, None)).order == order
    LIMITED_TO.set("bob")
    with pytest.raises(WithheldResponseError):
        await unary(None, None)
    with pytest.raises(WithheldResponseError):
        await anext(stream(None, None))
    LIMITED_TO.set("")
