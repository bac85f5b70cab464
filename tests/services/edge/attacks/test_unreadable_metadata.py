"""Metadata that gRPC's server can't read, sent by one caller, and the calls of others after it.

All callers share the connections to a service. Its server keeps a header that it couldn't read in
the connection's table of headers (HPACK), and fails later calls that have one of the same name.
"""

import struct
from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio

from tests.support.attempts.raw_connection import exchange
from tests.support.attempts.raw_http2 import raw_http2
from tests.support.attempts.watched_edge import WatchedEdge, watched_edge
from tests.support.edge.protocols import sent

pytestmark = pytest.mark.asyncio(loop_scope="module")

GET_ORDER = "/tradepost.order.v1.OrderService/GetOrder"
EMPTY_FRAME = struct.pack(">BI", 0, 0)
# Headers that gRPC reads by their types, with values that it can read.
READABLE: Mapping[str, str] = {
    "te": "trailers",
    "grpc-timeout": "5S",
    "grpc-encoding": "gzip",
    "grpc-accept-encoding": "identity,gzip",
    "grpc-internal-encoding-request": "gzip",
    "grpc-previous-rpc-attempts": "1",
    "grpc-retry-pushback-ms": "5",
    "grpc-status": "1",
    "grpc-message": "x",
    "grpc-trace-bin": "AAAA",
    "grpc-tags-bin": "AAAA",
    "grpc-status-details-bin": "AAAA",
    "endpoint-load-metrics-bin": "AAAA",
    "lb-token": "x",
    "x-envoy-peer-metadata": "AAAA",
    "x-of-an-application-bin": "AAAA",
}
UNREADABLE = ("!", "rubbish\xff", "")
TYPES = ("application/grpc", "application/grpc-web+proto", "application/proto", "application/json")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WatchedEdge]:
    """An edge that has one connection to the one server behind it."""
    async with watched_edge(tmp_path_factory.mktemp("edge")) as watched:
        yield watched


async def served(watched: WatchedEdge, content_type: str, name: str, value: str) -> bool:
    """Whether a call of bert with this header is served."""
    headers = {"te": "trailers", "content-type": content_type, name: value}
    shown = (*headers.items(), *watched.people.headers("bert", "CUSTOMER").items())
    status, answered, _ = await sent(
        watched.edge, "POST", GET_ORDER, headers=shown, body=EMPTY_FRAME
    )
    return (status, answered.get("grpc-status", "0")) == (200, "0")


async def expect_all_are_served(watched: WatchedEdge) -> None:
    """Fail if calls of others, with good values of all headers, aren't served as before."""
    for name, value in READABLE.items():
        assert await served(watched, "application/grpc", name, value), name
    status, _, _ = await sent(
        watched.edge, "GET", "/v1/orders/x", headers=watched.people.headers("bert", "CUSTOMER")
    )
    assert status == 200


@pytest.mark.parametrize("name", READABLE)
async def test_a_header_breaks_no_call_of_others(watched: WatchedEdge, name: str) -> None:
    """By each protocol, with whatever value a caller writes into it."""
    token = watched.people.headers("alice", "CUSTOMER").items()
    for content_type in TYPES:
        for value in UNREADABLE:
            headers = {"te": "trailers", "content-type": content_type, name: value}
            shown = (*headers.items(), ("connect-protocol-version", "1"), *token)
            await sent(watched.edge, "POST", GET_ORDER, headers=shown, body=EMPTY_FRAME)

    await expect_all_are_served(watched)


async def test_trailers_break_no_call_of_others(watched: WatchedEdge) -> None:
    """The same behind a request: by HTTP/2, and by HTTP/1.1 behind the last chunk."""
    token = watched.people.headers("alice", "CUSTOMER")["authorization"].encode()
    pseudo = ((b":method", b"POST"), (b":scheme", b"http"), (b":path", GET_ORDER.encode()))
    fields = (*pseudo, (b":authority", b"shop.example"), (b"content-type", b"application/grpc"))
    for name in map(str.encode, READABLE):
        async with raw_http2(watched.edge.settings.port) as connection:
            shown = (*fields, (b"authorization", token))
            connection.ask(1, shown, EMPTY_FRAME, trailers=((name, b"!"),))
            await connection.outcomes()
        await exchange(
            watched.edge.settings.port,
            b"POST " + GET_ORDER.encode() + b" HTTP/1.1\r\nhost: shop.example\r\n"
            b"connection: close\r\ncontent-type: application/grpc\r\nauthorization: " + token,
            b"\r\ntransfer-encoding: chunked\r\n\r\n5\r\n" + EMPTY_FRAME + b"\r\n0\r\n",
            name + b": !\r\n\r\n",
        )

    await expect_all_are_served(watched)
