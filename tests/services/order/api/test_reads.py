"""Every RPC that reads orders, over real gRPC, on either of two instances."""

import asyncio

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tradepost.event.v1 import event_pb2, event_service_pb2
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub
from tradepost.order.v1 import order_event_pb2, order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub

from tests.support.chassis.rich_status import refusal
from tests.support.order.order_service import Instance, create, fulfill_of, no_order_id, order_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIRMED = order_pb2.ORDER_STATE_CONFIRMED
REJECTED = order_pb2.ORDER_STATE_REJECTED


async def all_pages(
    stub: OrderServiceAsyncStub, request: rpc.ListOrdersRequest
) -> list[order_pb2.Order]:
    """Read all pages of a list."""
    orders: list[order_pb2.Order] = []
    while True:
        page = await stub.ListOrders(request)
        orders += page.orders
        if not page.next_page_token:
            return orders
        request.page_token = page.next_page_token


async def test_an_order_is_read_as_of_any_version(
    grpc_stub: OrderServiceAsyncStub, second: Instance
) -> None:
    """Every version of an order can be read, from the stream, on any instance."""
    order = await create(grpc_stub)
    states = []
    for version in range(1, 6):
        past = await second.orders.GetOrder(
            rpc.GetOrderRequest(order_id=order.order_id, as_of_version=version)
        )
        assert (past.version, past.order.version) == (version, version)
        states.append(order_pb2.OrderState.Name(past.order.state).removeprefix("ORDER_STATE_"))
    assert states == ["RESERVING", "AUTHORIZING", "COMMITTING", "CAPTURING", "CONFIRMED"]
    now = await second.orders.GetOrder(
        rpc.GetOrderRequest(order_id=order.order_id, min_version=order.version)
    )
    assert now.order == order


async def test_a_version_that_does_not_exist_is_out_of_range(
    grpc_stub: OrderServiceAsyncStub,
) -> None:
    """A missing version is refused at once: the stream never lags, so waiting is useless."""
    order = await create(grpc_stub)
    for request in (
        rpc.GetOrderRequest(order_id=order.order_id, min_version=6),
        rpc.GetOrderRequest(order_id=order.order_id, as_of_version=6),
        rpc.GetOrderRequest(order_id=order.order_id, as_of_version=0),
    ):
        refused = await refusal(grpc_stub.GetOrder(request))
        assert refused.reason == "VERSION_OUT_OF_RANGE"
        assert refused.facts["newest_version"] == "5"


async def test_many_orders_are_read_in_one_call(
    grpc_stub: OrderServiceAsyncStub, second: Instance
) -> None:
    """A batch answers in the order of the request, each order once, and names unknown ids."""
    first, other = await create(grpc_stub), await create(grpc_stub, sku="gold", quantity=9)
    unknown = no_order_id()
    batch = await second.orders.BatchGetOrders(
        rpc.BatchGetOrdersRequest(
            order_ids=[other.order_id, unknown, first.order_id, other.order_id]
        )
    )
    assert list(batch.orders) == [other, first]
    assert batch.unknown_order_ids == [unknown]


async def test_orders_are_listed_newest_first_by_customer_state_and_time(
    grpc_stub: OrderServiceAsyncStub, second: Instance
) -> None:
    """Filters work alone and together; the list never lags behind earlier answers."""
    made = [await create(grpc_stub, "erna", quantity=quantity) for quantity in (1, 2, 3)]
    made.append(await create(grpc_stub, "erna", sku="gold", quantity=9))
    other = await create(grpc_stub, "fritz")
    stub = second.orders

    async def ids(**wanted: object) -> list[str]:
        request = rpc.ListOrdersRequest(page_size=2, **wanted)  # type: ignore[arg-type]
        return [order.order_id for order in await all_pages(stub, request)]

    newest_first = [order.order_id for order in reversed(made)]
    assert await ids(customer_id="erna") == newest_first
    assert await ids(customer_id="erna", states=[REJECTED]) == newest_first[:1]
    assert await ids(customer_id="erna", states=[CONFIRMED]) == newest_first[1:]
    assert await ids(customer_id="erna", states=[REJECTED, CONFIRMED]) == newest_first
    assert await ids(customer_id="erna", created_after_time=made[2].create_time) == newest_first[:2]
    assert (
        await ids(customer_id="erna", created_before_time=made[1].create_time) == newest_first[3:]
    )
    assert (await ids())[:2] == [other.order_id, newest_first[0]]
    by_state = await ids(states=[REJECTED, CONFIRMED])
    assert by_state[:5] == [other.order_id, *newest_first]
    assert by_state == sorted(by_state, reverse=True)


async def test_pages_are_stable_while_orders_come_in(
    grpc_stub: OrderServiceAsyncStub, second: Instance
) -> None:
    """An order that matches throughout appears exactly once, on any instance and page size."""
    made = [(await create(grpc_stub, "gerd")).order_id for _ in range(5)]
    request = rpc.ListOrdersRequest(customer_id="gerd", page_size=2)
    page = await grpc_stub.ListOrders(request)
    seen = [order.order_id for order in page.orders]
    await create(grpc_stub, "gerd")
    request.page_token, request.page_size = page.next_page_token, 1
    seen += [order.order_id for order in await all_pages(second.orders, request)]
    assert seen == made[::-1]


async def test_a_token_belongs_to_its_list_and_arguments(
    grpc_stub: OrderServiceAsyncStub,
) -> None:
    """A token of another filter, of another list or a made-up one is refused."""
    for _ in range(2):
        await create(grpc_stub, "hans")
    request = rpc.ListOrdersRequest(customer_id="hans", page_size=1)
    token = (await grpc_stub.ListOrders(request)).next_page_token
    order_id = (await grpc_stub.ListOrders(request)).orders[0].order_id
    for refused in (
        await refusal(grpc_stub.ListOrders(rpc.ListOrdersRequest(page_token=token))),
        await refusal(
            grpc_stub.ListOrderEvents(
                rpc.ListOrderEventsRequest(order_id=order_id, page_token=token)
            )
        ),
        await refusal(grpc_stub.ListOrders(rpc.ListOrdersRequest(page_token="made up"))),
    ):
        assert (refused.reason, set(refused.bad_fields)) == ("INVALID_REQUEST", {"page_token"})


async def test_a_list_is_at_least_as_fresh_as_asked(
    grpc_stub: OrderServiceAsyncStub, second: Instance
) -> None:
    """A list waits for the requested position, and contains the order that was answered there."""
    created = await grpc_stub.CreateOrder(order_of("ida"))
    request = rpc.ListOrdersRequest(customer_id="ida", min_position=created.position)
    page = await second.orders.ListOrders(request)
    assert page.position >= created.position
    assert [order.order_id for order in page.orders] == [created.order.order_id]

    request = rpc.ListOrdersRequest(customer_id="jens", min_position=page.position + 1)
    waiting = asyncio.ensure_future(second.orders.ListOrders(request))
    await grpc_stub.CreateOrder(order_of("jens"))
    assert len((await waiting).orders) == 1


async def test_the_audit_trail_holds_every_event(
    grpc_stub: OrderServiceAsyncStub, second: Instance
) -> None:
    """The audit trail has every event, the oldest first, with the payload that the feed sends."""
    order = await create(grpc_stub)
    await grpc_stub.FulfillOrder(fulfill_of(order.order_id))
    request = rpc.ListOrderEventsRequest(order_id=order.order_id, page_size=3)
    events: list[event_pb2.Event] = []
    while True:
        page = await second.orders.ListOrderEvents(request)
        events += page.events
        if not page.next_page_token:
            break
        assert len(page.events) == 3
        request.page_token = page.next_page_token
    assert [event.aggregate_version for event in events] == [1, 2, 3, 4, 5, 6, 7]
    assert {(event.feed, event.aggregate_type) for event in events} == {("order", "order")}
    assert all(event.epoch and event.event_id.startswith("evt_") for event in events)
    placed, reserved = order_event_pb2.OrderPlaced(), order_event_pb2.StockReserved()
    assert events[0].payload.Unpack(placed)
    assert events[1].payload.Unpack(reserved)
    assert (placed.customer_id, placed.hold_ttl.seconds) == ("ann", 120)
    assert reserved.total == order.total
    feed = EventFeedServiceStub(second.channel)
    read = await feed.ReadEvents(event_service_pb2.ReadEventsRequest(aggregate_id=order.order_id))
    assert list(read.events) == events
    unknown = rpc.ListOrderEventsRequest(order_id=no_order_id())
    assert (await refusal(grpc_stub.ListOrderEvents(unknown))).reason == "ORDER_NOT_FOUND"


async def test_reads_never_go_back(grpc_stub: OrderServiceAsyncStub, second: Instance) -> None:
    """Every kind of read on one instance includes what another instance has answered."""
    for number in range(5):
        created = await grpc_stub.CreateOrder(order_of(f"kim{number}"))
        order_id = created.order.order_id
        got = await second.orders.GetOrder(rpc.GetOrderRequest(order_id=order_id))
        many = await second.orders.BatchGetOrders(rpc.BatchGetOrdersRequest(order_ids=[order_id]))
        listed = await second.orders.ListOrders(rpc.ListOrdersRequest(customer_id=f"kim{number}"))
        assert got.order == many.orders[0] == listed.orders[0] == created.order
        assert got.position == created.position


async def test_a_time_beyond_all_orders_lists_none(grpc_stub: OrderServiceAsyncStub) -> None:
    """Far instants are valid filters, and match no order."""
    await create(grpc_stub, "lena")
    far = Timestamp(seconds=253_402_300_799)
    request = rpc.ListOrdersRequest(customer_id="lena", created_after_time=far)
    assert not (await grpc_stub.ListOrders(request)).orders
