"""People at the edge: tokens, how often each may call, and which answers are reused for whom."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping

import aiohttp
import grpc
import pytest
import pytest_asyncio
from tradepost.inventory.v1 import inventory_service_pb2 as rpc
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.payment.v1 import payment_service_pb2 as payment_rpc
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from discovery.clock import SystemClock
from scripts.suite.issuer import Issuer
from tests.support.edge.people import People
from tests.support.edge.running_edge import (
    RunningEdge,
    instance_at,
    running_edge,
    settings_at_free_ports,
)
from tests.support.limits import WAIT_S
from tests.support.suite.suite_in_process import Suite, running_suite

pytestmark = pytest.mark.asyncio(loop_scope="module")

ITEMS = "/v1/items"
LIST_ITEMS = "/tradepost.inventory.v1.InventoryService/ListItems"
# The edge knows no instance of payment, so it answers whatever passes the limit with 503.
VOID = "/v1/payments/pay_1:void"
VOID_BY_RPC = "/tradepost.payment.v1.PaymentService/VoidPayment"
# So few that none comes back while a test runs.
WRITES_PER_MINUTE = 1
TOO_MANY = 429
INVALID = "TOKEN_INVALID"


@pytest.fixture(scope="module")
def people() -> People:
    return People()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    async with running_suite(tmp_path_factory.mktemp("suite")) as suite:
        yield suite


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def edge(
    suite: Suite, people: People, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningEdge]:
    instances = [instance_at("inventory", suite.servers["inventory"].endpoint)]
    folder = tmp_path_factory.mktemp("edge")
    settings = settings_at_free_ports(
        cache_folder=str(tmp_path_factory.mktemp("cache")), write_per_minute=WRITES_PER_MINUTE
    )
    async with running_edge(folder, instances, settings=settings, tokens=people.accepted()) as edge:
        yield edge


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def http(edge: RunningEdge) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(edge.url) as session:
        yield session


async def status_of(
    http: aiohttp.ClientSession, path: str, headers: Mapping[str, str] | None = None
) -> int:
    """The status of a GET."""
    async with http.get(path, headers=headers) as answer:
        return answer.status


async def reason_of(answer: aiohttp.ClientResponse) -> str:
    """The reason in the body of an error."""
    (detail,) = (await answer.json())["details"]
    return str(detail["reason"])


def unsigned(people: People) -> str:
    """A token of alice with `alg: none` and no signature."""
    token = people.issuer.token("alice", "CUSTOMER")
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    return f"{header}.{token.split('.')[1]}."


async def test_a_valid_token_lets_a_person_in(people: People, http: aiohttp.ClientSession) -> None:
    """A request with a token of the issuer is served."""
    assert await status_of(http, ITEMS, people.headers("alice", "CUSTOMER")) == 200


async def test_a_request_without_a_valid_token_is_refused_early(
    people: People, http: aiohttp.ClientSession
) -> None:
    """Missing, foreign, expired, forged and misplaced tokens are all 401, with a reason."""
    good = people.issuer.token("alice", "CUSTOMER")
    body, signature = good.rsplit(".", 1)
    stranger = Issuer(clock=SystemClock()).token("alice", "CUSTOMER")
    bad = {
        "missing": ({}, "TOKEN_REQUIRED"),
        "expired": (people.headers("alice", "CUSTOMER", exp=1_000_000_000), "TOKEN_EXPIRED"),
        "of another issuer": (people.headers("alice", iss="https://elsewhere.test"), INVALID),
        "for another audience": (people.headers("alice", aud="elsewhere"), INVALID),
        "of an unknown key": ({"authorization": f"Bearer {stranger}"}, INVALID),
        "changed": ({"authorization": f"Bearer {body}.{signature[::-1]}"}, INVALID),
        "unsigned": ({"authorization": f"Bearer {unsigned(people)}"}, INVALID),
    }
    for what, (headers, reason) in bad.items():
        async with http.get(ITEMS, headers=headers) as answer:
            assert (answer.status, await reason_of(answer)) == (401, reason), what
    # In a URL it would end up in logs.
    assert await status_of(http, f"{ITEMS}?access_token={good}") == 401


async def test_a_refusal_is_in_the_protocol_of_its_caller(http: aiohttp.ClientSession) -> None:
    """What the edge notes about a request in a header of its own can't come from outside."""
    async with http.get(ITEMS, headers={"x-edge-protocol": "connect"}) as answer:
        assert answer.status == 401
        assert await reason_of(answer) == "TOKEN_REQUIRED"


async def test_a_grpc_caller_without_a_token_is_unauthenticated(edge: RunningEdge) -> None:
    """The refusal reaches a gRPC client as UNAUTHENTICATED."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await InventoryServiceStub(edge.channel).ListItems(rpc.ListItemsRequest())
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_what_describes_the_edge_needs_no_token(http: aiohttp.ClientSession) -> None:
    """A program can read OpenAPI and the contracts before anybody has signed in."""
    assert await status_of(http, "/openapi.json") == 200
    assert await status_of(http, "/.well-known/contracts.binpb") == 200


async def test_a_new_key_of_the_issuer_is_accepted_and_open_connections_stay(
    people: People, edge: RunningEdge, http: aiohttp.ClientSession
) -> None:
    """After a rotation tokens of both keys are accepted; nothing that runs is interrupted."""
    old = people.headers("alice", "CUSTOMER")
    metadata = tuple(old.items())
    stub = InventoryServiceStub(edge.channel)
    await stub.ListItems(rpc.ListItemsRequest(), metadata=metadata)
    state = edge.channel.get_state()

    people.issuer.rotate()
    new = people.headers("alice", "CUSTOMER")
    assert await status_of(http, ITEMS, new) == 401
    people.publish()
    async with asyncio.timeout(WAIT_S):
        while await status_of(http, ITEMS, new) == 401:
            assert await status_of(http, ITEMS, old) == 200

    await stub.ListItems(rpc.ListItemsRequest(), metadata=metadata)
    assert edge.channel.get_state() is state is grpc.ChannelConnectivity.READY


async def change(
    http: aiohttp.ClientSession, headers: Mapping[str, str], **more: str
) -> aiohttp.ClientResponse:
    """The answer to a change, with its body read; what passes the limit is 503."""
    async with http.post(VOID, json={}, headers={**headers, **more}) as answer:
        await answer.read()
        return answer


async def spend(http: aiohttp.ClientSession, headers: Mapping[str, str]) -> None:
    """Make changes until one is refused for being one too many."""
    for _ in range(WRITES_PER_MINUTE + 2):
        if (await change(http, headers)).status == TOO_MANY:
            return
    raise AssertionError("no limit")


async def test_one_call_too_many_is_refused_in_every_protocol(
    people: People, edge: RunningEdge, http: aiohttp.ClientSession
) -> None:
    """REST, Connect, gRPC-Web and gRPC each say it in their own way, and when to come back."""
    headers = people.headers("bea", "OPERATOR")
    await spend(http, headers)

    rest = await change(http, headers)
    assert (rest.status, rest.headers["retry-after"]) == (TOO_MANY, "60")
    assert (await rest.json())["code"] == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert await reason_of(rest) == "RATE_LIMITED"

    connect = {"content-type": "application/proto", "connect-protocol-version": "1"}
    async with http.post(VOID_BY_RPC, data=b"", headers={**headers, **connect}) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (TOO_MANY, "60")
        assert (await answer.json())["code"] == "resource_exhausted"

    web = {"content-type": "application/grpc-web+proto"}
    async with http.post(VOID_BY_RPC, data=bytes(5), headers={**headers, **web}) as answer:
        assert answer.headers["retry-after"] == "60"
        assert b"grpc-status: 8\r\n" in await answer.read()

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await PaymentServiceStub(edge.channel).VoidPayment(
            payment_rpc.VoidPaymentRequest(), metadata=tuple(headers.items())
        )
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    trailers = dict(raised.value.trailing_metadata() or ())
    assert (trailers["retry-after"], trailers["grpc-retry-pushback-ms"]) == ("60", "60000")


async def test_a_limit_is_for_one_person_and_one_class(
    people: People, http: aiohttp.ClientSession
) -> None:
    """Whoever has spent their changes can still read, and others can still change."""
    headers = people.headers("carl", "OPERATOR")
    await spend(http, headers)

    assert await status_of(http, ITEMS, headers) == 200
    assert (await change(http, people.headers("dora", "OPERATOR"))).status == 503


async def test_no_header_makes_a_caller_another_one(
    people: People, http: aiohttp.ClientSession
) -> None:
    """Neither an invented address nor an invented subject gives a caller a new allowance."""
    headers = people.headers("emil", "OPERATOR")
    await spend(http, headers)

    for name in ("x-forwarded-for", "x-real-ip", "x-subject", "x-envoy-external-address"):
        assert (await change(http, headers, **{name: "10.9.8.7"})).status == TOO_MANY


async def code_of_a_change(edge: RunningEdge, headers: Mapping[str, str]) -> grpc.StatusCode:
    """The code of a change by gRPC; what passes the limit is UNAVAILABLE."""
    call = edge.channel.unary_unary(VOID_BY_RPC)(b"", metadata=tuple(headers.items()))
    return await call.code()


async def test_what_is_spent_stays_spent_while_3000_others_call(
    people: People, edge: RunningEdge, http: aiohttp.ClientSession
) -> None:
    """Envoy remembers that many callers; by itself it would remember 20."""
    headers = people.headers("frida", "OPERATOR")
    await spend(http, headers)

    for batch in range(60):
        others = [people.headers(f"other-{batch}-{number}", "OPERATOR") for number in range(50)]
        codes = await asyncio.gather(*(code_of_a_change(edge, other) for other in others))
        assert set(codes) == {grpc.StatusCode.UNAVAILABLE}

    assert await code_of_a_change(edge, headers) is grpc.StatusCode.RESOURCE_EXHAUSTED
