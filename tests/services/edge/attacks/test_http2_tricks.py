"""HTTP/2 that would become another request in HTTP/1.1, or more than the edge allows."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from tests.support.attempts.page import expect_table
from tests.support.attempts.raw_http2 import raw_http2
from tests.support.attempts.tricks import HEADINGS, NOTHING
from tests.support.attempts.watched_edge import WatchedEdge, watched_edge
from tests.support.edge.protocols import sent
from tests.support.limits import WAIT_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

MAX_STREAMS = 1_000
RESET, CLOSED = "stream reset", "connection closed"
METHOD, SCHEME = (b":method", b"GET"), (b":scheme", b"http")
AUTHORITY, PATH = (b":authority", b"shop.example"), (b":path", b"/v1/orders/x")
ORDER = ("GetOrder",)
USUAL = (METHOD, SCHEME, AUTHORITY, PATH)


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a request; `token` stands behind them."""

    what: str
    fields: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    answer: str = RESET
    data: bytes | None = field(default=None, repr=False)
    reaches: tuple[str, ...] = ()


def header(what: str, name: bytes, value: bytes) -> Fields:
    """A usual GET with one more header."""
    return Fields(what, (*USUAL, (name, value)))


TRICKS = [
    Fields("a usual request", USUAL, "200", reaches=ORDER),
    header("CR and LF in a value", b"x-a", b"a\r\nauthorization: Bearer x"),
    header("LF in a value", b"x-a", b"a\nx-b: c"),
    header("a zero byte in a value", b"x-a", b"a\0b"),
    header("CR and LF in a name", b"x-a: b\r\nx-c", b"d"),
    header("a colon in a name", b"x-a:", b"b"),
    header("a space in a name", b"x a", b"b"),
    header("an empty name", b"", b"b"),
    header("upper case in a name", b"X-A", b"b"),
    header("`transfer-encoding`", b"transfer-encoding", b"chunked"),
    header("`connection`", b"connection", b"authorization"),
    header("`te` other than trailers", b"te", b"gzip"),
    header("an unknown pseudo-header", b":role", b"OPERATOR"),
    header("a second `:path`", b":path", b"/v1/items"),
    header("a pseudo-header behind others", b":authority", b"elsewhere.example"),
    Fields("a line end in `:path`", (*USUAL[:3], (b":path", b"/v1/orders/x HTTP/1.1\r\nx: y"))),
    Fields("a space in `:path`", (*USUAL[:3], (b":path", b"/v1/orders/x y"))),
    Fields("no `:path`", USUAL[:3]),
    Fields("a line end in `:method`", ((b":method", b"GET / HTTP/1.1\r\nx: y"), *USUAL[1:])),
    Fields(
        "an unknown `:scheme`", (METHOD, (b":scheme", b"file"), *USUAL[2:]), "200", reaches=ORDER
    ),
    Fields("a length that is shorter", (*USUAL, (b"content-length", b"1")), data=b"12345"),
    Fields("a length that is longer", (*USUAL, (b"content-length", b"9")), data=b"12345"),
    Fields("CONNECT", ((b":method", b"CONNECT"), (b":authority", b"order:50051")), "404"),
]


@dataclass(frozen=True, slots=True)
class Tried:
    """What a request was answered, and what reached a service."""

    trick: Fields
    answer: str
    reached: tuple[str, ...]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WatchedEdge]:
    """An edge before a server that records whatever reaches it."""
    # A call that somebody else waits for must not end by its time limit meanwhile.
    async with watched_edge(tmp_path_factory.mktemp("edge"), timeout_s=WAIT_S) as watched:
        yield watched


def token(watched: WatchedEdge) -> tuple[bytes, bytes]:
    """The field with the token of a customer."""
    name, _, value = watched.token("CUSTOMER").partition(b": ")
    return name, value


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tried(watched: WatchedEdge) -> list[Tried]:
    """Every request, made once for all tests on a connection of its own."""
    found = []
    for trick in TRICKS:
        async with raw_http2(watched.edge.settings.port) as connection:
            connection.ask(1, (*trick.fields, token(watched)), trick.data)
            (answer,) = (await connection.outcomes()).values()
        reached = tuple(name for name, _ in await watched.taken())
        found.append(Tried(trick, answer, reached))
    return found


async def test_a_field_stays_one_field(tried: list[Tried]) -> None:
    """What is no request in HTTP/2 is refused, so nothing has to be made of it in HTTP/1.1."""
    wrong = [
        f"{each.trick.what}: {each.answer}, reached {each.reached}"
        for each in tried
        if (each.answer, each.reached) != (each.trick.answer, each.trick.reaches)
    ]
    assert not wrong, "\n".join(wrong)


async def test_the_page_shows_the_fields(tried: list[Tried]) -> None:
    """The table of docs/security.md lists these requests and their answers."""
    rows = [
        [each.trick.what, each.answer, ", ".join(f"`{rpc}`" for rpc in each.reached) or NOTHING]
        for each in tried
    ]
    expect_table("HTTP/2 at the edge", rows, HEADINGS)


GRPC = (
    (b":method", b"POST"),
    SCHEME,
    AUTHORITY,
    (b":path", b"/tradepost.order.v1.OrderService/GetOrder"),
    (b"content-type", b"application/grpc"),
    (b"te", b"trailers"),
)


@pytest.mark.parametrize(
    ("fields", "data"), [(USUAL, None), (GRPC, bytes(5))], ids=["REST", "gRPC"]
)
async def test_more_streams_than_allowed_hurt_nobody_else(
    watched: WatchedEdge, fields: tuple[tuple[bytes, bytes], ...], data: bytes | None
) -> None:
    """A caller who opens too many streams is cut off, and calls of others go on to their end."""
    headers = watched.people.headers("bob", "CUSTOMER")
    watched.server.silent |= {"GetOrder", "GetStock"}
    other = asyncio.create_task(sent(watched.edge, "GET", "/v1/stock/tea", headers=headers))
    async with asyncio.timeout(WAIT_S):
        while "GetStock" not in [name for name, _ in watched.server.calls]:
            await sent(watched.edge, "GET", "/v1/items", headers=headers)

    async with raw_http2(watched.edge.settings.port) as connection:
        for number in range(MAX_STREAMS + 5):
            connection.ask(2 * number + 1, (*fields, token(watched)), data)
        assert set((await connection.outcomes()).values()) <= {RESET, CLOSED}
    # What the others ask meanwhile is answered once Envoy has noticed that the caller has gone.
    for _ in range(20):
        assert (await sent(watched.edge, "GET", "/v1/items", headers=headers))[0] == 200
    watched.server.released.set()

    assert (await other)[0] == 200
    watched.server.silent.clear()
    watched.server.released.clear()
    watched.server.calls.clear()
