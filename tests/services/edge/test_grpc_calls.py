"""Calls by gRPC through a real Envoy to a real order service, while the registry changes."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from tradepost.event.v1.event_service_pb2 import GetFeedRequest
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

import discovery
from tests.support.edge.running_edge import RunningEdge, instance_at, running_edge
from tests.support.limits import WAIT_S
from tests.support.suite.suite_in_process import Suite, running_suite

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_ORDER = rpc.GetOrderRequest(order_id=f"ord_{0:032x}")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    async with running_suite(tmp_path_factory.mktemp("suite")) as suite:
        yield suite


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def edge(
    suite: Suite, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningEdge]:
    instances = [instance_at(name, server.endpoint) for name, server in suite.servers.items()]
    async with running_edge(tmp_path_factory.mktemp("edge"), instances) as edge:
        yield edge


async def test_the_answer_is_that_of_the_service(suite: Suite, edge: RunningEdge) -> None:
    """A call through the edge has the same answer as one that asks the service directly."""
    request = rpc.ListOrdersRequest(page_size=10)
    direct = await OrderServiceStub(suite.channels["order"]).ListOrders(request)
    assert await OrderServiceStub(edge.channel).ListOrders(request) == direct


async def test_a_compressed_request_is_read(edge: RunningEdge) -> None:
    """A client may compress what it sends; the service reads all of it."""
    request = rpc.CreateOrderRequest(payment_method="x" * 10_000)
    call = OrderServiceStub(edge.channel).CreateOrder(request, compression=grpc.Compression.Gzip)
    assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "payment_method" in (await call.details() or "")


async def test_an_error_keeps_its_reason(edge: RunningEdge) -> None:
    """An error of a service reaches the caller with its code and its reason."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await OrderServiceStub(edge.channel).GetOrder(NO_ORDER)
    info = discovery.error_info(raised.value)
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert info is not None
    assert (info.reason, info.domain) == ("ORDER_NOT_FOUND", "order.tradepost")


async def test_an_internal_method_is_not_reachable(edge: RunningEdge) -> None:
    """A method without a public path is unknown at the edge, and the error says why."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await EventFeedServiceStub(edge.channel).GetFeed(GetFeedRequest())
    info = discovery.error_info(raised.value)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert info is not None
    assert (info.reason, info.domain) == ("PATH_NOT_FOUND", "edge.tradepost")


async def test_the_correlation_comes_back(edge: RunningEdge) -> None:
    """A caller's correlation id comes back with the answer."""
    call = OrderServiceStub(edge.channel).ListOrders(
        rpc.ListOrdersRequest(), metadata=(("x-correlation-id", "my-checkout"),)
    )
    headers = dict(await call.initial_metadata())
    assert headers["x-correlation-id"] == "my-checkout"


async def test_a_new_instance_gets_calls_and_a_removed_one_none(
    suite: Suite, edge: RunningEdge
) -> None:
    """Envoy follows the registry: a new instance gets calls, and one that was removed gets none."""
    other = await _counting_server()
    first = instance_at("order", suite.servers["order"].endpoint)
    second = instance_at("order", f"127.0.0.1:{other.port}")
    try:
        await edge.registry.register(second)
        await edge.registry.deregister(first)
        async with asyncio.timeout(WAIT_S):
            while not other.calls:
                await _list_orders(edge)
        await edge.registry.register(first)
        await edge.registry.deregister(second)
        async with asyncio.timeout(WAIT_S):
            while await _list_orders(edge) == "other":
                pass
        calls = other.calls
        for _ in range(20):
            await _list_orders(edge)
        assert other.calls == calls
    finally:
        await other.server.stop(None)


class _CountingServer:
    """A server that answers ListOrders with nothing but a page token."""

    def __init__(self) -> None:
        self.calls = 0
        self.server = grpc.aio.server()
        handlers = {"ListOrders": grpc.unary_unary_rpc_method_handler(self._list)}
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("tradepost.order.v1.OrderService", handlers),)
        )
        self.port = self.server.add_insecure_port("127.0.0.1:0")

    async def _list(
        self, _request: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> bytes:
        self.calls += 1
        return rpc.ListOrdersResponse(next_page_token="other").SerializeToString()


async def _counting_server() -> _CountingServer:
    server = _CountingServer()
    await server.server.start()
    return server


async def _list_orders(edge: RunningEdge) -> str:
    """Who answered: "other" or nothing."""
    answer = await OrderServiceStub(edge.channel).ListOrders(rpc.ListOrdersRequest(page_size=1))
    return str(answer.next_page_token)
