"""Requests to web applications that hide another one: between Envoy and uvicorn all is HTTP/1.1."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from discovery.registry.instance import Instance
from tests.support.attempts.raw_connection import exchange
from tests.support.attempts.watched_edge import IMPATIENT
from tests.support.edge.page_instance import META
from tests.support.edge.running_edge import RunningEdge, running_edge, settings_at_free_ports
from tests.support.web.asgi_server import asgi_server, listener

pytestmark = pytest.mark.asyncio(loop_scope="module")

HIDDEN = b"GET /shop/hidden HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
CHUNKED = b"transfer-encoding: chunked"


def post(*headers: bytes, body: bytes = LAST_CHUNK + HIDDEN) -> bytes:
    """A POST with these headers and this body; no other request follows on the connection."""
    lines = (b"POST /shop/buy HTTP/1.1", b"host: shop", b"connection: close", *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


TRICKS = {
    "length and chunks": post(b"content-length: 5", CHUNKED),
    "chunks and length": post(CHUNKED, b"content-length: 5"),
    "two lengths": post(b"content-length: 5", b"content-length: 6"),
    "a length with a sign": post(b"content-length: +5"),
    "chunks twice": post(CHUNKED, CHUNKED),
    "an unknown encoding": post(b"transfer-encoding: xchunked"),
    "a space before the colon": post(b"transfer-encoding : chunked"),
    "a zero byte in the value": post(b"transfer-encoding: \x00chunked"),
    "a folded header": post(b"x-folded: a", b" transfer-encoding: chunked"),
    "a bare CR in a value": post(b"x-header: a\rcontent-length: 5"),
    "a bare LF behind a header": post(b"x-header: a\ncontent-length: 5"),
    "no length at all": post(),
    "a hidden request as a chunk": post(
        CHUNKED, body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
    ),
    "a chunk that is longer than it says": post(CHUNKED, body=b"1\r\n{}\r\n" + HIDDEN),
    "a body that is longer than it says": post(b"content-length: 2", body=b"{}" + HIDDEN),
    "a body in a GET": post(b"content-length: %d" % len(HIDDEN), body=HIDDEN).replace(
        b"POST", b"GET"
    ),
    "an upgrade": post(b"connection: upgrade", b"upgrade: h2c", body=HIDDEN),
    "a line end in the path": HIDDEN.replace(b"/shop/hidden", b"/shop/x%0d%0aGET%20/shop/hidden"),
}


@pytest.fixture(scope="module")
def seen() -> list[str]:
    """The requests that the application got: verb, path and the size of the body."""
    return []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(
    seen: list[str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningEdge]:
    """An edge before an application on uvicorn, which ours run on."""

    async def answer(request: Request) -> Response:
        seen.append(f"{request.method} {request.url.path} {len(await request.body())}")
        return Response("ok")

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    bound = listener()
    _, port = bound.getsockname()
    shop = Instance("shop-1", "storefront", "127.0.0.1", port, meta=META)
    settings = settings_at_free_ports(pages="/shop=storefront", **IMPATIENT)
    async with (
        asgi_server(app, bound),
        running_edge(tmp_path_factory.mktemp("edge"), [shop], settings=settings) as started,
    ):
        yield started


@pytest.mark.parametrize("what", TRICKS)
async def test_an_application_sees_what_the_edge_answered(
    edge: RunningEdge, seen: list[str], what: str
) -> None:
    """One answer of 200 is one request; none of these gets a second one through."""
    seen.clear()

    replies = await exchange(edge.settings.port, TRICKS[what])

    assert len(replies) == 1
    assert len(seen) == [reply.status for reply in replies].count(200)
    assert not [each for each in seen if each.startswith("GET /shop/hidden ")]


async def test_the_body_that_arrives_is_the_one_that_was_sent(
    edge: RunningEdge, seen: list[str]
) -> None:
    """In chunks or with a length, the application gets all of it, and the next request whole."""
    seen.clear()
    chunks = post(CHUNKED, body=b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    for sent in (chunks, post(b"content-length: 5", body=b"abcde"), HIDDEN):
        await exchange(edge.settings.port, sent)

    assert seen == ["POST /shop/buy 5", "POST /shop/buy 5", "GET /shop/hidden 0"]
