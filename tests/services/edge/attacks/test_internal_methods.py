"""RPCs that the contracts don't publish over HTTP can't be reached through the edge at all."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.contracts.test_policies import EDGE, METHODS
from tests.support.attempts.page import expect_table
from tests.support.attempts.raw_connection import exchange
from tests.support.attempts.tricks import CLOSE, TOKEN, request
from tests.support.attempts.watched_edge import WatchedEdge, watched_edge
from tests.support.limits import WAIT_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

INTERNAL = sorted(
    f"/{method.containing_service.full_name}/{method.name}"
    for method in METHODS
    if method not in EDGE
)
# Served by every instance, or by the control plane, beside our contracts.
OF_GRPC = (
    "/grpc.health.v1.Health/Check",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.channelz.v1.Channelz/GetServers",
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
)
VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
CONTENT_TYPES = (
    "application/json",
    "application/grpc",
    "application/grpc+proto",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/proto",
    "application/connect+proto",
)
NOT_FOUND = {"404", "404 PATH_NOT_FOUND", "404 unimplemented", "grpc 12"}
# What could be read in two ways is refused whatever it names.
REFUSED = {"400", "400 MALFORMED_REQUEST", "400 invalid_argument", "grpc 3"}
EMPTY_MESSAGE = bytes(5)
# RPCs that are tried at a time, each by a hundred requests; Envoy takes a second to close most.
AT_ONCE = 4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WatchedEdge]:
    """An edge before a server that would answer any RPC."""
    async with watched_edge(tmp_path_factory.mktemp("edge")) as watched:
        yield watched


def spellings(path: str) -> Iterator[str]:
    """Ways to write the path of an RPC."""
    service, name = path[1:].split("/")
    yield path
    yield f"{path}/"
    yield f"{path}?connect=v1&encoding=proto&message="
    yield f"/{path}"
    yield f"/{service}/./{name}"
    yield f"/v1/orders/..{path}"
    yield f"/tradepost.order.v1.OrderService/../{service}/{name}"
    yield f"/{service}%2f{name}"
    yield f"/{service};/{name}"
    yield f"/v1/{service}/{name}"
    yield path.lower()
    yield f"http://order{path}"


def requests(path: str) -> Iterator[bytes]:
    """Requests for an RPC: by every verb and protocol, and by every spelling of its path."""
    for verb in VERBS:
        yield request(f"{verb} {path}".encode(), CLOSE)
    for spelling in spellings(path):
        for content_type in CONTENT_TYPES:
            size, kind = len(EMPTY_MESSAGE), content_type.encode()
            yield request(
                f"POST {spelling}".encode(),
                CLOSE,
                b"content-type: " + kind,
                b"content-length: %d" % size,
                b"connect-protocol-version: 1" if b"web" not in kind else b"x-grpc-web: 1",
                body=EMPTY_MESSAGE,
            )
        yield request(f"GET {spelling}".encode(), CLOSE)


async def answers(watched: WatchedEdge, path: str) -> set[str]:
    """What an operator is answered who tries to reach an RPC."""
    token, port = watched.token("CUSTOMER", "CLERK", "OPERATOR"), watched.edge.settings.port
    written = [each.replace(TOKEN, token) for each in requests(path)]
    return set(await asyncio.gather(*(answer(port, each) for each in written)))


async def answer(port: int, written: bytes) -> str:
    """The one answer to a request.

    Envoy waits a second before it closes a connection whose request it didn't read to its end. That
    loses an answer which a busy machine hasn't read by then: the request is made again.
    """
    async with asyncio.timeout(WAIT_S):
        while not (got := await exchange(port, written)):
            pass
    (reply,) = got
    return reply.text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tried(watched: WatchedEdge) -> dict[str, set[str]]:
    """The answers of all attempts, by RPC; nothing reaches a service."""
    paths, turns = (*INTERNAL, *OF_GRPC), asyncio.Semaphore(AT_ONCE)

    async def answers_in_turn(path: str) -> set[str]:
        async with turns:
            return await answers(watched, path)

    found = await asyncio.gather(*map(answers_in_turn, paths))
    assert await watched.taken() == []
    return dict(zip(paths, found, strict=True))


async def test_no_internal_rpc_can_be_reached(tried: dict[str, set[str]]) -> None:
    """Every RPC without a path over HTTP is unknown to the edge, and no service hears of it."""
    assert len(INTERNAL) == len(METHODS) - len(EDGE) > 0
    for path, got in tried.items():
        assert got <= NOT_FOUND | REFUSED, path
        assert NOT_FOUND & got, path


async def test_the_server_would_have_answered(watched: WatchedEdge) -> None:
    """A public RPC that is asked for in the same way reaches the server."""
    path = f"/{EDGE[0].containing_service.full_name}/{EDGE[0].name}"
    await answers(watched, path)
    reached = {name.partition("?")[0] for name, _ in await watched.taken()}
    assert reached == {EDGE[0].name}


async def test_the_page_shows_the_attempts(tried: dict[str, set[str]]) -> None:
    """docs/security.md says how many RPCs were tried, and what was answered."""
    rows = []
    for what, paths in (
        ("RPCs of the contracts without `http`", INTERNAL),
        ("RPCs of gRPC and xDS", OF_GRPC),
    ):
        got = set[str]().union(*(tried[path] for path in paths))
        shown = ", ".join(f"`{answer}`" for answer in sorted(got))
        rows.append([f"{len(paths)} {what}", shown, "nothing"])
    expect_table("internal RPCs at the edge", rows, ("against", "answers", "reaches a service"))
