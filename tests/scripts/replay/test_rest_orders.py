"""Orders placed by REST at a real Envoy in front of the real services."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import aiohttp
import grpc
import pytest
import pytest_asyncio
from tradepost.order.v1.order_pb2 import OrderState
from tradepost.order.v1.order_service_pb2 import (
    CancelOrderRequest,
    CreateOrderLine,
    CreateOrderRequest,
)

from discovery.clock import Clock, SystemClock
from scripts.replay.observations import Observations
from scripts.replay.rest_orders import AWAY_MAX_S, RestOrders
from scripts.suite.consul import free_ports
from tests.support.clock.manual_clock import ManualClock
from tests.support.edge.public_suite import PublicSuite, public_suite
from tests.support.limits import WAIT_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDER = CreateOrderRequest(
    request_id=str(UUID(int=9, version=4)),
    customer_id="ann",
    lines=[CreateOrderLine(sku="tea", quantity=1)],
    payment_method="pm_visa",
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def public(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PublicSuite]:
    async with public_suite(tmp_path_factory.mktemp("edge")) as public:
        yield public


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def orders_at(
    session: aiohttp.ClientSession, url: str, clock: Clock
) -> tuple[RestOrders, Observations]:
    """The calls, and what is observed of them."""
    observations = Observations()
    return RestOrders(session, url, clock=clock, observations=observations), observations


async def test_an_order_is_placed_and_cancelled(
    public: PublicSuite, session: aiohttp.ClientSession
) -> None:
    """Requests and answers are the same messages as by gRPC."""
    orders, _ = orders_at(session, public.edge.url, SystemClock())

    placed = (await orders.CreateOrder(ORDER, timeout=WAIT_S, metadata=())).order
    again = (await orders.CreateOrder(ORDER, timeout=WAIT_S, metadata=())).order
    cancel = CancelOrderRequest(
        request_id=str(UUID(int=10, version=4)), order_id=placed.order_id, reason="too late"
    )
    cancelled = (await orders.CancelOrder(cancel, timeout=WAIT_S, metadata=())).order

    assert placed.state == OrderState.ORDER_STATE_CONFIRMED
    assert again == placed
    assert cancelled.state == OrderState.ORDER_STATE_REFUNDED


async def test_a_refusal_has_its_code(public: PublicSuite, session: aiohttp.ClientSession) -> None:
    """An answer that is an error is raised with its gRPC code, and isn't repeated."""
    orders, observations = orders_at(session, public.edge.url, SystemClock())
    unknown = CancelOrderRequest(
        request_id=str(UUID(int=11, version=4)), order_id=f"ord_{0:032x}", reason="none"
    )

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await orders.CancelOrder(unknown, timeout=WAIT_S, metadata=())

    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert not observations.repeated_at_edge


async def test_an_edge_that_never_comes_back_is_given_up(session: aiohttp.ClientSession) -> None:
    """A request that nobody answers is sent again for a minute, and then it is UNAVAILABLE."""
    clock = ManualClock()
    (closed,) = free_ports(1)
    orders, observations = orders_at(session, f"http://127.0.0.1:{closed}", clock)

    asking = asyncio.create_task(orders.CreateOrder(ORDER, timeout=WAIT_S, metadata=()))
    while not asking.done():
        if clock.next_wake_s is not None:
            await clock.advance(clock.next_wake_s)
        await asyncio.wait([asking], timeout=0.01)

    with pytest.raises(grpc.aio.AioRpcError) as gone:
        await asking
    assert gone.value.code() is grpc.StatusCode.UNAVAILABLE
    assert clock.monotonic() > AWAY_MAX_S
    assert observations.repeated_at_edge["CreateOrder"] > AWAY_MAX_S
