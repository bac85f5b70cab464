"""What the edge accepts as HTTP, and how it refuses the rest, before a service is asked."""

import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from tradepost.payment.v1 import payment_service_pb2 as payment_rpc
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

import discovery
from services.edge.contract.methods import PublicMethod
from tests.support.edge.answer import Answer
from tests.support.edge.protocols import PROTOCOLS, sent
from tests.support.edge.raw_http import raw_http
from tests.support.edge.running_edge import (
    RunningEdge,
    instance_at,
    running_edge,
    settings_at_free_ports,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 10_000


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningEdge]:
    """An edge with one instance of the order service, which knows no method, and no other."""
    settings = settings_at_free_ports(max_request_bytes=LIMIT)
    folder = tmp_path_factory.mktemp("edge")
    server = grpc.aio.server()
    order = instance_at("order", f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    await server.start()
    async with running_edge(folder, [order], settings=settings) as edge:
        yield edge
    await server.stop(None)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_service_without_instances_is_unavailable(edge: RunningEdge, protocol: str) -> None:
    """Without an instance every protocol says so, with the same reason."""
    method = _method(edge, "GetPayment")
    request = payment_rpc.GetPaymentRequest(payment_id="pay_1")
    answer = await PROTOCOLS[protocol](edge, method, request)
    assert answer == Answer(reason="NO_INSTANCE", domain="edge.tradepost")


async def test_a_grpc_caller_may_retry_without_an_instance(edge: RunningEdge) -> None:
    """The gRPC code of a missing instance is UNAVAILABLE, which clients retry."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await PaymentServiceStub(edge.channel).GetPayment(payment_rpc.GetPaymentRequest())
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert raised.value.details() == "no instance of the service answered"
    assert discovery.error_info(raised.value) is not None


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1"),
        ("GET", "/v1/orders/ord_1/"),
        ("GET", "/v1/orders/ord_1/nope"),
        ("DELETE", "/v1/orders/ord_1"),
        ("PUT", "/v1/orders"),
        ("GET", "/v1/orders/ord_1:cancel"),
        ("POST", "/tradepost.event.v1.EventFeedService/GetFeed"),
        ("POST", "/tradepost.instance.v1.InstanceService/DrainInstance"),
        ("POST", "/tradepost.inventory.v1.InventoryService/ReserveStock"),
        ("POST", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
        ("GET", "/tradepost.order.v1.OrderService/CancelOrder"),
    ],
)
async def test_everything_else_is_not_found(edge: RunningEdge, verb: str, path: str) -> None:
    """Paths, verbs and methods that the contract doesn't make public are not found."""
    status, _, body = await sent(edge, verb, path)
    assert (status, _reason(body)) == (404, "PATH_NOT_FOUND")


@pytest.mark.parametrize(
    "path", ["/v1/orders/a%2fb", "/v1/orders/a%2F..%2Fb", "/v1/orders/a%5cb", "/v1/%00orders"]
)
async def test_an_escaped_slash_is_refused(edge: RunningEdge, path: str) -> None:
    """A path whose parts can be read in two ways is refused."""
    status, _, body = await sent(edge, "GET", path)
    assert (status, _reason(body)) == (400, "MALFORMED_REQUEST")


@pytest.mark.parametrize(
    "path", ["//v1//payments/pay_1", "/v1/x/../payments/pay_1", "/v1/./payments/pay_1"]
)
async def test_paths_have_one_spelling(edge: RunningEdge, path: str) -> None:
    """Double slashes and dots are resolved before a path is looked up."""
    status, _, body = await sent(edge, "GET", path)
    assert (status, _reason(body)) == (503, "NO_INSTANCE")


@pytest.mark.parametrize("name", ["x-http-method-override", "x-http-method", "x-method-override"])
async def test_the_verb_cannot_be_overridden(edge: RunningEdge, name: str) -> None:
    """A header can't make another request of a request."""
    path = "/v1/orders/ord_1:cancel"
    status, _, _ = await sent(edge, "DELETE", path, headers={name: "POST"})
    assert status == 404


async def test_a_path_cannot_be_overridden(edge: RunningEdge) -> None:
    """Headers that name another path change nothing."""
    headers = {"x-original-url": "/v1/orders", "x-rewrite-url": "/v1/orders"}
    status, _, _ = await sent(edge, "GET", "/nope", headers=headers)
    assert status == 404


@pytest.mark.parametrize("text", ["{", "[]", '{"request_id": 5}', '{"nope": 1}', "\xff"])
async def test_what_is_no_request_is_told(edge: RunningEdge, text: str) -> None:
    """JSON that isn't the request is refused with the place of the fault."""
    headers = {"content-type": "application/json"}
    body = text.encode("latin-1")
    status, answered, body = await sent(edge, "POST", "/v1/orders", headers=headers, body=body)
    if text == '{"nope": 1}':
        # A newer client may send a field that isn't known here yet.
        assert status == 501
        return
    assert (status, _reason(body)) == (400, "MALFORMED_REQUEST")
    assert answered["content-type"] == "application/json"


async def test_a_misspelt_parameter_is_refused(edge: RunningEdge) -> None:
    """An unknown query parameter is an error, not a list without the filter."""
    status, _, body = await sent(edge, "GET", "/v1/orders?customr_id=ann")
    assert (status, _reason(body)) == (400, "MALFORMED_REQUEST")
    assert "customr_id" in json.loads(body)["message"]


async def test_a_large_request_is_refused(edge: RunningEdge) -> None:
    """JSON above the limit is refused with 413."""
    headers = {"content-type": "application/json"}
    text = json.dumps({"payment_method": "x" * 2 * LIMIT}).encode()
    status, _, body = await sent(edge, "POST", "/v1/orders", headers=headers, body=text)
    assert (status, _reason(body)) == (413, "REQUEST_TOO_LARGE")


async def test_large_headers_are_refused(edge: RunningEdge) -> None:
    """Headers above the limit are refused with 431."""
    status, _, body = await sent(edge, "GET", "/v1/orders", headers={"x-long": "x" * 40_000})
    assert (status, _reason(body)) == (431, "HEADERS_TOO_LARGE")


@pytest.mark.parametrize(
    "request_text",
    [
        "GET /v1/orders HTTP/1.0\r\n\r\n",
        "GET /v1/orders HTTP/1.1\r\n\r\n",
        "GET /v1/orders HTTP/1.1\r\nhost: a\r\nx_role: OPERATOR\r\n\r\n",
        "GET /v1/orders HTTP/1.1\r\nhost: a\r\nx-a : b\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding:chunked\r\n\r\n",
        "POST /v1/orders HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        "POST /v1/orders HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\n\r\n",
        "GET /v1/orders#x HTTP/1.1\r\nhost: a\r\n\r\n",
    ],
)
async def test_ambiguous_http_is_refused(edge: RunningEdge, request_text: str) -> None:
    """A request that two servers could read differently is refused, and its connection closed."""
    answer = await raw_http(edge.settings.port, request_text)
    status = int(answer.split(b" ", 2)[1])
    assert status in {400, 426, 501}, answer


async def test_a_caller_does_not_steer_envoy(edge: RunningEdge) -> None:
    """Headers by which Envoy is steered have no effect, also from this machine."""
    headers = {"x-envoy-upstream-alt-stat-name": "x", "x-envoy-max-retries": "100"}
    status, answered, _ = await sent(edge, "GET", "/v1/payments/pay_1", headers=headers)
    assert status == 503
    assert not [name for name in answered if name.startswith("x-envoy")]
    assert answered["server"] == "tradepost"


def _method(edge: RunningEdge, name: str) -> PublicMethod:
    return next(method for method in edge.contract.methods if method.name == name)


def _reason(body: bytes) -> str:
    status: dict[str, Any] = json.loads(body)
    (info,) = status["details"]
    return str(info["reason"])
