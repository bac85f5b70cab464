"""Following an order on one instance while another drives it, and the effect of a drain."""

import asyncio
from collections.abc import AsyncIterable
from contextlib import AsyncExitStack

import grpc
import pytest
from tradepost.order.v1 import order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub

from tests.support.chassis.rich_status import refusal
from tests.support.order.order_service import (
    Instance,
    OrderService,
    cancel_of,
    create,
    no_order_id,
    order_of,
)
from tests.support.order.scripted_failures import PendingAnswer

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIRMED = order_pb2.ORDER_STATE_CONFIRMED


async def test_a_watch_shows_every_version_once_across_instances(
    grpc_stub: OrderServiceAsyncStub, second: Instance, order_service: OrderService
) -> None:
    """A watch on one instance gets each version once from another, until the order is settled."""
    placed = await order_service.hang(grpc_stub, "AuthorizePayment", order_of("moni"))
    watch = aiter(second.orders.WatchOrder(rpc.WatchOrderRequest(order_id=placed.order_id)))
    seen = [await anext(watch) for _ in range(2)]
    order_service.release()
    seen += [version async for version in watch]
    assert [version.version for version in seen] == [1, 2, 3, 4, 5]
    assert [version.event_type.rpartition(".")[2] for version in seen] == [
        "OrderPlaced",
        "StockReserved",
        "PaymentAuthorized",
        "CaptureRequested",
        "OrderConfirmed",
    ]
    assert seen[-1].order.state == CONFIRMED
    assert [version.position for version in seen] == sorted(version.position for version in seen)


async def test_a_watch_resumes_after_a_version_and_follows_to_the_end(
    grpc_stub: OrderServiceAsyncStub, second: Instance
) -> None:
    """With `follow` a watch goes on after the order is settled, until it is final."""
    order = await create(grpc_stub)
    settled = second.orders.WatchOrder(
        rpc.WatchOrderRequest(order_id=order.order_id, after_version=3)
    )
    assert [version.version async for version in settled] == [4, 5]
    watch = second.orders.WatchOrder(
        rpc.WatchOrderRequest(order_id=order.order_id, after_version=5, follow=True)
    )
    versions = asyncio.ensure_future(_versions(watch))
    await grpc_stub.CancelOrder(cancel_of(order.order_id))
    assert await versions == [6, 7]


async def _versions(watch: AsyncIterable[rpc.WatchOrderResponse]) -> list[int]:
    return [version.version async for version in watch]


async def test_a_watch_of_an_unknown_order_or_version_is_refused(
    grpc_stub: OrderServiceAsyncStub,
) -> None:
    """An unknown order and a version that does not exist yet are refused."""
    unknown = grpc_stub.WatchOrder(rpc.WatchOrderRequest(order_id=no_order_id()))
    assert (await refusal(_versions(unknown))).reason == "ORDER_NOT_FOUND"
    order = await create(grpc_stub)
    ahead = grpc_stub.WatchOrder(rpc.WatchOrderRequest(order_id=order.order_id, after_version=9))
    assert (await refusal(_versions(ahead))).reason == "VERSION_OUT_OF_RANGE"


async def test_a_watch_ends_with_where_to_resume_when_the_instance_drains(
    grpc_stub: OrderServiceAsyncStub, order_service: OrderService
) -> None:
    """A drain ends a watch with UNAVAILABLE, DRAINING and the version after which to resume."""
    order = await create(grpc_stub)
    async with AsyncExitStack() as caller:
        async with order_service.served("third") as (_, endpoint):
            channel = await caller.enter_async_context(grpc.aio.insecure_channel(endpoint))
            request = rpc.WatchOrderRequest(order_id=order.order_id, follow=True)
            watch = aiter(OrderServiceStub(channel).WatchOrder(request))
            seen = [(await anext(watch)).version for _ in range(5)]
        ended = await refusal(anext(watch))
    assert seen == [1, 2, 3, 4, 5]
    assert (ended.code.name, ended.reason) == ("UNAVAILABLE", "DRAINING")
    assert ended.facts == {"order_id": order.order_id, "after_version": "5"}


async def test_a_waiting_caller_is_answered_when_the_instance_drains(
    grpc_stub: OrderServiceAsyncStub, order_service: OrderService
) -> None:
    """A drain answers a waiting caller with the current order; another instance goes on."""
    order_service.script.always["CapturePayment"] = PendingAnswer.PENDING
    request = order_of()
    arrived = asyncio.Event()

    async def tell() -> None:
        arrived.set()

    order_service.script.during["CapturePayment"] = tell
    async with AsyncExitStack() as caller:
        async with order_service.served("fourth") as (_, endpoint):
            channel = await caller.enter_async_context(grpc.aio.insecure_channel(endpoint))
            waiting = asyncio.ensure_future(OrderServiceStub(channel).CreateOrder(request))
            await arrived.wait()
        answered = (await waiting).order
    assert answered.state == order_pb2.ORDER_STATE_CAPTURING
    del order_service.script.always["CapturePayment"]
    settled = (await grpc_stub.CreateOrder(request)).order
    assert (settled.order_id, settled.state) == (answered.order_id, CONFIRMED)
