"""Headers by which a caller would steer the edge, or be somebody else to a service."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from google.protobuf import message_factory

from services.chassis.server.layers.access import bearer_token
from services.edge.contract.methods import PublicMethod
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
from tests.support.attempts.watched_edge import WatchedEdge, watched_edge
from tests.support.edge.protocols import PROTOCOLS, Headers, sent

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMEOUT_S = 2.0
FORGED = "7"
# What the edge tells services, and what Envoy obeys or tells.
NOT_FROM_OUTSIDE = (
    "tradepost-causation-id",
    "tradepost-correlation-id",
    "tradepost-anything",
    "x-edge-protocol",
    "x-edge-verb",
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-downstream-service-cluster",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-force-trace",
    "x-envoy-internal",
    "x-envoy-ip-tags",
    "x-envoy-max-retries",
    "x-envoy-original-method",
    "x-envoy-original-path",
    "x-envoy-peer-metadata",
    "x-envoy-retry-on",
    "x-envoy-upstream-rq-timeout-ms",
    "x-forwarded-client-cert",
    "x-forwarded-proto",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-request-id",
    "x-rewrite-url",
    "x-tradepost-authorization",
)
SERVED, ORDER = ("200",), ("GetOrder",)
# Several lines are several headers.
ACCEPTED = ("Bearer TOKEN", "bearer TOKEN", "Bearer  TOKEN", "\t Bearer TOKEN\t")
REFUSED = (
    "BEARER TOKEN",
    "Bearer\tTOKEN",
    "Bearer \xa0TOKEN",
    "Bearer TOKEN x",
    "Bearer TOKEN, x",
    "Bearer =TOKEN",
    'Bearer "TOKEN"',
    "Bearer Bearer TOKEN",
    "xBearer TOKEN",
    "TOKEN",
    "Basic x Bearer TOKEN",
    "Basic x, Bearer TOKEN",
    "Basic x\nBearer TOKEN",
    "Bearer TOKEN\nBasic x",
    "Bearer TOKEN\nBearer TOKEN",
)


def asked(header: str, answers: tuple[str, ...], reaches: tuple[str, ...] = ()) -> Trick:
    """A GET of an order by a customer, with one more header."""
    parts = [request(b"GET /v1/orders/x", CLOSE, header.encode("latin-1"))]
    return Trick(f"`{header}`", parts, answers, reaches)


def shown(value: str) -> Trick:
    """A GET of an order whose caller shows this; `TOKEN` stands for a customer's token."""
    lines = (
        f"authorization: {each}".replace("TOKEN", "<bare token>") for each in value.split("\n")
    )
    part = request(b"GET /v1/orders/x", CLOSE, *(each.encode("latin-1") for each in lines))
    what = ", ".join(f"`authorization: {each}`" for each in value.split("\n"))
    accepted = value in ACCEPTED
    return Trick(
        what.replace("\t", "<TAB>").replace("\xa0", "<NBSP>"),
        [part.replace(TOKEN + b"\r\n", b"")],
        SERVED if accepted else ("401 TOKEN_INVALID",),
        ORDER if accepted else (),
    )


def overridden(verb: str, header: str) -> Trick:
    """Another verb for a path that takes POST only."""
    line = f"{verb} /v1/orders/x:cancel".encode()
    parts = [request(line, CLOSE, header.encode())]
    return Trick(f"{verb} of a change, with `{header}`", parts, ("404 PATH_NOT_FOUND",))


TRICKS = [
    overridden("GET", "x-http-method-override: POST"),
    overridden("DELETE", "x-method-override: POST"),
    overridden("GET", "x-original-url: /v1/orders/x"),
    overridden("GET", "x-rewrite-url: /v1/orders/x"),
    asked("_method: DELETE", ("400 MALFORMED_REQUEST",)),
    asked("x_roles: OPERATOR", ("400 MALFORMED_REQUEST",)),
    # What a connection header names is for the next hop only, so the token is gone.
    asked("connection: authorization", ("401 TOKEN_REQUIRED",)),
    asked("connection: x-edge-protocol", SERVED, ORDER),
    asked("host: elsewhere.example", SERVED, ORDER),
    asked("content-type: application/grpc", ("grpc 12",)),
    asked("content-type: application/grpc-web", ("grpc 12",)),
    asked("grpc-encoding: rubbish", SERVED, ORDER),
    asked("x-anything-bin: !", SERVED, ORDER),
    asked("grpc-timeout: rubbish", SERVED, ORDER),
    asked("te: trailers, deflate", SERVED, ORDER),
    asked("expect: 100-continue", SERVED, ORDER),
    *(shown(value) for value in (*ACCEPTED, *REFUSED)),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WatchedEdge]:
    """An edge with a cache, before a server that records the metadata of each call."""
    cache = str(tmp_path_factory.mktemp("cache"))
    async with watched_edge(
        tmp_path_factory.mktemp("edge"), cache_folder=cache, timeout_s=TIMEOUT_S
    ) as watched:
        yield watched


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outcomes(watched: WatchedEdge) -> list[Outcome]:
    """Every trick, tried once for all tests."""
    return await tried(watched, TRICKS)


async def test_a_header_changes_no_verdict(outcomes: list[Outcome]) -> None:
    """A header can't make another request of a request."""
    expect_outcomes(outcomes)


async def test_the_page_shows_the_headers(outcomes: list[Outcome]) -> None:
    """The table of docs/security.md lists these headers, what was answered and who was asked."""
    expect_outcomes_on_page("headers at the edge", outcomes)


@pytest.mark.parametrize("value", ACCEPTED)
async def test_what_the_edge_takes_for_a_token_is_one_for_a_service(value: str) -> None:
    """A service finds the same token in what the edge lets pass."""
    header = value.strip().replace("TOKEN", "a.b-c.d_e")
    assert bearer_token([("authorization", header)]) == "a.b-c.d_e"


def method_of(watched: WatchedEdge, name: str) -> PublicMethod:
    """The public method of this name."""
    return next(each for each in watched.edge.contract.methods if each.name == name)


# The answers of ListItems may be reused, so its route is another one.
@pytest.mark.parametrize("name", ["GetOrder", "ListItems"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_the_edge_tells_services_is_not_taken_from_callers(
    watched: WatchedEdge, protocol: str, name: str
) -> None:
    """No service gets a caller's value for what only the edge may say, by any protocol."""
    method = method_of(watched, name)
    values = {"order_id": "x"} if name == "GetOrder" else {}
    message = message_factory.GetMessageClass(method.request)(**values)
    shown: Headers = (
        *watched.people.headers("alice", "CUSTOMER").items(),
        *((each, FORGED) for each in NOT_FROM_OUTSIDE),
    )
    await watched.taken()

    await PROTOCOLS[protocol](watched.edge, method, message, shown)

    ((called, metadata),) = await watched.taken()
    assert called == name
    assert [each for each in NOT_FROM_OUTSIDE if metadata.get(each) == FORGED] == []


async def test_nobody_shortens_the_time_limits_of_the_edge(watched: WatchedEdge) -> None:
    """Envoy obeys such headers when it takes a caller for one of its own network."""
    headers = {
        **watched.people.headers("alice", "CUSTOMER"),
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-upstream-rq-per-try-timeout-ms": "1",
    }
    for _ in range(30):
        status, _, _ = await sent(watched.edge, "GET", "/v1/orders/x", headers=headers)
        assert status == 200


async def test_nobody_gets_more_time_than_the_edge_gives(watched: WatchedEdge) -> None:
    """A call ends with the time limit of the edge, however far the caller's deadline is."""
    token = watched.people.headers("alice", "CUSTOMER")
    shown = {**token, "grpc-timeout": "99999999H"}
    path = method_of(watched, "GetOrder").path
    web = {**shown, "content-type": "application/grpc-web+proto"}
    connect = {
        **token,
        "content-type": "application/proto",
        "connect-protocol-version": "1",
        "connect-timeout-ms": "99999999",
    }

    watched.server.silent.add("GetOrder")
    (by_rest, _, _), (by_connect, _, _), (_, web_headers, web_body) = await asyncio.gather(
        sent(watched.edge, "GET", "/v1/orders/x", headers=shown),
        sent(watched.edge, "POST", path, headers=connect, body=b""),
        sent(watched.edge, "POST", path, headers=web, body=bytes(5)),
    )
    watched.server.silent.clear()

    assert (by_rest in {408, 504}, by_connect in {408, 504}) == (True, True), (by_rest, by_connect)
    # The service knows the limit, too; if it is the first to answer, the status is a header.
    assert web_headers.get("grpc-status") == "4" or b"grpc-status: 4\r\n" in web_body
