"""Requests that are too large, too slow, too deep, or no messages at all."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.attempts.tricks import (
    CLOSE,
    TOKEN,
    Outcome,
    Trick,
    expect_outcomes,
    expect_outcomes_on_page,
    request,
    tried,
)
from tests.support.attempts.watched_edge import IMPATIENT, WatchedEdge, watched_edge
from tests.support.limits import WAIT_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1024 * 1024
KIB = 1024
GET = b"GET /v1/orders/x"
PLACE = b"POST /v1/orders"
WEB = b"POST /tradepost.order.v1.OrderService/CancelOrder"
JSON = b"content-type: application/json"
TOO_LARGE = ("413 REQUEST_TOO_LARGE",)
LARGE_HEADERS = ("431 HEADERS_TOO_LARGE",)
TOO_LATE = ("408 DEADLINE_PASSED",)
REFUSED = ("400 MALFORMED_REQUEST",)


def posted(what: str, body: bytes, answers: tuple[str, ...], *, chunked: bool = False) -> Trick:
    """An order as JSON."""
    length = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % len(body)
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    return Trick(what, [request(PLACE, JSON, CLOSE, length, body=body)], answers)


def by_web(what: str, body: bytes, answers: tuple[str, ...], *, text: bool = False) -> Trick:
    """A message by gRPC-Web, in binary or in base64."""
    kind = b"content-type: application/grpc-web" + (b"-text" if text else b"+proto")
    length = b"content-length: %d" % len(body)
    return Trick(what, [request(WEB, kind, CLOSE, length, body=body)], answers)


TRICKS = [
    Trick("one header of 33 KiB", [request(GET, CLOSE, b"x-a: " + b"a" * 33 * KIB)], LARGE_HEADERS),
    Trick("a path of 33 KiB", [request(GET + b"a" * 33 * KIB, CLOSE)], LARGE_HEADERS),
    Trick(
        "150 headers",
        [request(GET, CLOSE, *(b"x-%d: a" % number for number in range(150)))],
        LARGE_HEADERS,
    ),
    Trick(
        "30 KiB of headers",
        [request(GET, CLOSE, *(b"x-%d: " % each + b"a" * 500 for each in range(60)))],
        ("200",),
        ("GetOrder",),
    ),
    posted("JSON of 5 MiB", b'{"paymentMethod":"' + b"a" * 5 * MIB + b'"}', TOO_LARGE),
    posted("the same in chunks", b'{"a":"' + b"a" * 5 * MIB + b'"}', TOO_LARGE, chunked=True),
    Trick(
        "JSON of 3 MiB",
        [
            request(PLACE, JSON, CLOSE, b"content-length: %d" % (3 * MIB))
            + b'{"paymentMethod":"'
            + b"a" * (3 * MIB - 20)
            + b'"}'
        ],
        ("200",),
        ("CreateOrder",),
    ),
    by_web("5 MiB by gRPC-Web", b"\0" + (5 * MIB).to_bytes(4) + b"a" * 5 * MIB, ("grpc 8",)),
    posted("100,000 arrays in each other", b"[" * 100_000, REFUSED),
    posted("100,000 objects in each other", b'{"a":' * 100_000, REFUSED),
    posted("a number of 100,000 digits", b'{"lines":[{"quantity":' + b"9" * 100_000, REFUSED),
    posted("bytes that are no UTF-8", b'{"paymentMethod":"\xff\xfe"}', REFUSED),
    posted("two documents", b"{}{}", REFUSED),
    by_web("rubbish instead of base64", b"!!!!", ("grpc 3",), text=True),
    by_web("base64 that isn't complete", b"AAAAAAA", ("grpc 3",), text=True),
    by_web("a frame that is longer than the body", b"\0\xff\xff\xff\xff", ("grpc 8",)),
    Trick("half a line and no more", [b"GET /v1/ord"], TOO_LATE),
    Trick("headers that don't end", [b"GET / HTTP/1.1\r\nhost: a\r\n"], TOO_LATE),
    Trick("half a body", [request(PLACE, JSON, b"content-length: 9", body=b" ")], TOO_LATE),
    Trick(
        "a chunk that doesn't come",
        [request(PLACE, JSON, b"transfer-encoding: chunked", body=b"1\r\n \r\n")],
        TOO_LATE,
    ),
    Trick("a connection on which nothing is asked", [b""]),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WatchedEdge]:
    """An edge that waits for nobody longer than two seconds."""
    async with watched_edge(tmp_path_factory.mktemp("edge"), **IMPATIENT) as watched:
        yield watched


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outcomes(watched: WatchedEdge) -> list[Outcome]:
    """Every trick, tried once for all tests."""
    return await tried(watched, TRICKS)


async def test_what_is_too_much_reaches_no_service(outcomes: list[Outcome]) -> None:
    """What is too large, too deep or too slow is refused by the edge, which goes on serving."""
    expect_outcomes(outcomes)


async def test_the_page_shows_the_sizes(outcomes: list[Outcome]) -> None:
    """The table of docs/security.md lists these requests and their answers."""
    expect_outcomes_on_page("sizes at the edge", outcomes)


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\nx-a: ", request(PLACE, JSON, b"content-length: 100000")]
)
async def test_a_caller_who_sends_byte_by_byte_is_not_waited_for(
    watched: WatchedEdge, start: bytes
) -> None:
    """The time limit is for the whole request, so it helps nobody to send a little all the time."""
    port, token = watched.edge.settings.port, watched.token("CUSTOMER")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(start.replace(TOKEN, token))
    answer = asyncio.create_task(reader.read(KIB))
    async with asyncio.timeout(WAIT_S):
        while not answer.done():
            writer.write(b" ")
            await asyncio.wait([answer], timeout=0.05)
    writer.close()

    assert answer.result().startswith(b"HTTP/1.1 408 ")
