"""Requests in HTTP/1.1 that hide another request, or of which two servers see different ends."""

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
from tests.support.attempts.watched_edge import IMPATIENT, watched_edge

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVED = ("200",)
REFUSED = ("400 MALFORMED_REQUEST",)
TOO_LATE = ("408 DEADLINE_PASSED",)
UNKNOWN_ENCODING = ("501",)
OTHER_VERSION = ("426",)
CANCELLED = ("CancelOrder",)
CANCEL = b"POST /v1/orders/x:cancel"
JSON = b"content-type: application/json"
CHUNKED = b"transfer-encoding: chunked"
# Whoever lets it in asks for a saga.
HIDDEN = request(b"GET /v1/sagas/x", CLOSE)
AS_CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
LAST_CHUNK = b"0\r\n\r\n"


def post(
    what: str,
    *headers: bytes,
    body: bytes = LAST_CHUNK + HIDDEN,
    answers: tuple[str, ...] = REFUSED,
    reaches: tuple[str, ...] = (),
) -> Trick:
    """A POST with these headers and this body."""
    parts = [request(CANCEL, JSON, CLOSE, *headers, body=body)]
    return Trick(what, parts, answers, reaches)


def written(
    what: str, text: bytes, answers: tuple[str, ...] = REFUSED, reaches: tuple[str, ...] = ()
) -> Trick:
    """These bytes."""
    return Trick(what, [text], answers, reaches)


TWO_ENDS = [
    post("length and chunks", b"content-length: 5", CHUNKED),
    post("chunks and length", CHUNKED, b"content-length: 5"),
    post("two lengths", b"content-length: 5", b"content-length: 6"),
    post("the same length twice", b"content-length: 5", b"content-length: 5"),
    post("two lengths in one header", b"content-length: 5, 6"),
    post("a length with a sign", b"content-length: +5"),
    post("a negative length", b"content-length: -5"),
    post("a length in hexadecimal", b"content-length: 0x5"),
    post("a length beyond 64 bits", b"content-length: 99999999999999999999"),
    post("an unknown encoding", b"transfer-encoding: xchunked", answers=UNKNOWN_ENCODING),
    post("a known one among others", b"transfer-encoding: gzip, chunked", answers=UNKNOWN_ENCODING),
    post("chunks twice", CHUNKED, CHUNKED, answers=UNKNOWN_ENCODING),
    post(
        "`identity` behind chunks",
        b"transfer-encoding: chunked, identity",
        answers=UNKNOWN_ENCODING,
    ),
    post("a space before the colon", b"transfer-encoding : chunked"),
    post("a vertical tab before the colon", b"transfer-encoding\x0b: chunked"),
    post("an underscore for the hyphen", b"transfer_encoding: chunked"),
    post("a zero byte in the value", b"transfer-encoding: \x00chunked"),
    # Both are made one header without a line end, and what follows is no part of the request.
    post(
        "a folded header",
        b"x-folded: a",
        b" transfer-encoding: chunked",
        answers=SERVED,
        reaches=CANCELLED,
    ),
    post(
        "a bare CR in a value", b"x-header: a\rcontent-length: 5", answers=SERVED, reaches=CANCELLED
    ),
    post("a bare LF behind a header", b"x-header: a\ncontent-length: 5"),
]
CHUNKS = [
    post("a hidden request as a chunk", CHUNKED, body=AS_CHUNK),
    post("a chunk with a sign", CHUNKED, body=b"+2\r\n{}\r\n0\r\n\r\n"),
    post("a chunk size beyond 64 bits", CHUNKED, body=b"fffffffffffffffff\r\n" + HIDDEN),
    post("a chunk that is longer than it says", CHUNKED, body=b"1\r\n{}\r\n0\r\n\r\n"),
    post("a chunk size that ends with a bare LF", CHUNKED, body=b"2\n{}\r\n0\r\n\r\n"),
    post(
        "a chunk with an extension",
        CHUNKED,
        body=b"2;a=b\r\n{}\r\n0\r\n\r\n",
        answers=SERVED,
        reaches=CANCELLED,
    ),
    Trick(
        "a token behind the last chunk",
        [
            request(CANCEL, JSON, CLOSE, CHUNKED, body=b"2\r\n{}\r\n0\r\n").replace(TOKEN, b"x: y")
            + TOKEN
            + b"\r\n\r\n"
        ],
        ("401 TOKEN_REQUIRED",),
    ),
]
REQUESTS = [
    Trick(
        "a request in the body of a GET",
        [request(b"GET /v1/orders/x", CLOSE, b"content-length: %d" % len(HIDDEN), body=HIDDEN)],
        REFUSED,
    ),
    Trick(
        "a second request behind a finished one",
        [request(b"GET /v1/orders/x"), HIDDEN],
        ("200", "200"),
        ("GetOrder", "GetSaga"),
    ),
    Trick(
        "a second request without a token behind one with a token",
        [request(b"GET /v1/orders/x"), HIDDEN.replace(TOKEN, b"x: y")],
        ("200", "401 TOKEN_REQUIRED"),
        ("GetOrder",),
    ),
    Trick(
        "a body that is shorter than it says",
        [request(CANCEL, JSON, b"content-length: 1000", body=b" ")],
        TOO_LATE,
    ),
    written("HTTP/1.0", HIDDEN.replace(b"HTTP/1.1", b"HTTP/1.0"), OTHER_VERSION),
    written("HTTP/0.9", b"GET /v1/orders/x\r\n", OTHER_VERSION),
    written("HTTP/1.2", HIDDEN.replace(b"HTTP/1.1", b"HTTP/1.2"), OTHER_VERSION),
    written("two versions", HIDDEN.replace(b"HTTP/1.1", b"HTTP/1.1 HTTP/1.1")),
    written("no `host`", HIDDEN.replace(b"host:", b"x-host:")),
    written("bare LF as line ends", HIDDEN.replace(b"\r\n", b"\n"), SERVED, ("GetSaga",)),
    written("a space before the first header", HIDDEN.replace(b"\r\nhost", b"\r\n host")),
    written("a header without a colon", HIDDEN.replace(b"host:", b"nothing\r\nhost:")),
    # It has no end, and until there is one nothing is decided.
    written("CONNECT", request(b"CONNECT order:50051", CLOSE), TOO_LATE),
    written("TRACE", request(b"TRACE /v1/orders/x", CLOSE), ("404 PATH_NOT_FOUND",)),
    Trick(
        "an upgrade to HTTP/2 (`h2c`)",
        [
            request(
                b"GET /v1/orders/x",
                b"connection: upgrade, http2-settings",
                b"upgrade: h2c",
                b"http2-settings: AAMAAABkAARAAAAAAAIAAAAA",
            ),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ],
        ("200", *REFUSED),
        ("GetOrder",),
    ),
    Trick(
        "an upgrade to a WebSocket",
        [request(b"GET /v1/orders/x", b"connection: upgrade", b"upgrade: websocket")],
        REFUSED,
    ),
]
TRICKS = [*TWO_ENDS, *CHUNKS, *REQUESTS]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outcomes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Outcome]]:
    """Every trick, tried once for all tests."""
    async with watched_edge(tmp_path_factory.mktemp("edge"), **IMPATIENT) as watched:
        yield await tried(watched, TRICKS)


async def test_no_request_hides_another_one(outcomes: list[Outcome]) -> None:
    """A service sees the requests that Envoy answered, and no other one."""
    expect_outcomes(outcomes)


async def test_the_page_shows_the_requests(outcomes: list[Outcome]) -> None:
    """The table of docs/security.md lists what was written, what was answered and who was asked."""
    expect_outcomes_on_page("HTTP/1.1 at the edge", outcomes)
