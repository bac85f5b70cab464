"""Attacks on a secure suite from outside; docs/security.md lists each with its answer."""

import asyncio
import random
from collections.abc import AsyncIterator
from functools import partial
from typing import TypeAlias

import grpc
import pytest
import pytest_asyncio
from tradepost.order.v1.order_pb2 import OrderState
from tradepost.order.v1.order_service_pb2 import (
    CancelOrderRequest,
    GetCustomerSummaryRequest,
    GetOrderRequest,
    ListOrdersRequest,
    WatchOrderRequest,
)

from discovery.clock import SystemClock
from scripts.suite import cluster
from scripts.suite.secure.credentials import Tls
from scripts.suite.secure.instructions import CUSTOMER_ID
from tests.support.attempts.attempts import Attempt, access_of, attempts
from tests.support.attempts.outsider import Metadata, outsider, served
from tests.support.attempts.page import expect_table
from tests.support.attempts.shop import Shop, create_request, open_shop, request_id
from tests.support.suite.printed_lines import run_printed

Code = grpc.StatusCode
# Each attempt, with the answer of every RPC against which it was made.
Tried: TypeAlias = list[tuple[Attempt, dict[str, Code]]]

MISSING = f"ord_{0:032x}"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[cluster.Cluster]:
    """A secure suite with one instance of each service."""
    async with cluster.running(
        tmp_path_factory.mktemp("secure"),
        instances=1,
        clock=SystemClock(),
        rng=random.Random(1),
        secure=Tls.FILES,
    ) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tried(suite: cluster.Cluster) -> Tried:
    """Every attempt, made once for all tests."""
    assert suite.access is not None
    return [
        (attempt, await answers(suite, attempt)) for attempt in attempts(suite.access.credentials)
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(suite: cluster.Cluster) -> AsyncIterator[Shop]:
    """The order service as customers call it, with an item in stock."""
    async with open_shop(suite) as opened:
        yield opened


async def answers(suite: cluster.Cluster, attempt: Attempt) -> dict[str, Code]:
    """What each RPC that the attempt concerns answers, by service and path."""
    concerned = [rpc for rpc in served() if attempt.concerns(access_of(rpc.method))]
    async with outsider(suite, attempt.certificates, plaintext=attempt.plaintext) as mallory:
        codes = await asyncio.gather(*(mallory.call(rpc, attempt.metadata) for rpc in concerned))
    return {f"{rpc.service}{rpc.path}": code for rpc, code in zip(concerned, codes, strict=True)}


def expected(attempt: Attempt) -> dict[str, Code]:
    """What the contracts say that each of these RPCs answers."""
    return {
        f"{rpc.service}{rpc.path}": attempt.expected(access_of(rpc.method))
        for rpc in served()
        if attempt.concerns(access_of(rpc.method))
    }


async def test_every_attempt_is_refused_by_every_rpc(tried: Tried) -> None:
    """An outsider gets from every RPC the answer that follows from its contract."""
    wrong = [
        f"{attempt.what}: {rpc} answered {got.get(rpc)}, not {code}"
        for attempt, got in tried
        for rpc, code in expected(attempt).items()
        if got.get(rpc) != code
    ]

    assert not wrong, "\n".join(wrong)


async def test_the_table_shows_what_was_tried(tried: Tried) -> None:
    """The table of docs/security.md lists these attempts with the answers that they got."""
    rows = []
    for attempt, got in tried:
        codes = ", ".join(f"`{name}`" for name in sorted({code.name for code in got.values()}))
        rows.append([attempt.what, attempt.against, codes])

    expect_table("attempts", rows)


async def test_an_order_of_somebody_else_looks_like_none(shop: Shop) -> None:
    """A customer can't read, watch or cancel another one's order, nor learn that there is one."""
    order_id = (await shop.create("alice", "1")).order_id
    for name, request in (
        ("GetOrder", GetOrderRequest),
        ("WatchOrder", WatchOrderRequest),
        ("CancelOrder", partial(CancelOrderRequest, request_id=request_id("2"), reason="mine")),
    ):
        theirs = await shop.refusal("bob", name, request(order_id=order_id))
        missing = await shop.refusal("bob", name, request(order_id=MISSING))

        assert theirs[0] == Code.NOT_FOUND
        assert theirs == (missing[0], missing[1].replace(MISSING, order_id))
    unchanged = await shop.orders.GetOrder(GetOrderRequest(order_id=order_id))
    assert unchanged.order.state == OrderState.ORDER_STATE_CONFIRMED


async def test_nobody_acts_for_another_customer(shop: Shop) -> None:
    """A customer who names another one as customer is refused, for orders, lists and summaries."""
    order = create_request("alice", "3")
    for name, request in (
        ("CreateOrder", order),
        ("ListOrders", ListOrdersRequest(customer_id="alice")),
        ("GetCustomerSummary", GetCustomerSummaryRequest(customer_id="alice")),
    ):
        code, _ = await shop.refusal("bob", name, request)
        assert code == Code.PERMISSION_DENIED, name


async def test_a_request_id_of_somebody_else_shows_and_blocks_nothing(shop: Shop) -> None:
    """The request_id that another customer used is new for this one, and places their own order."""
    hers = await shop.create("alice", "4")
    his = await shop.create("bob", "4")

    assert his.order_id != hers.order_id
    assert (his.customer_id, hers.customer_id) == ("bob", "alice")
    assert (await shop.create("alice", "4")).order_id == hers.order_id


@pytest.mark.parametrize(
    ("what", "metadata", "body"),
    [
        ("headers of 64 KiB", (("x-padding", "a" * 65_536),), b""),
        ("a body of 5 MiB", (), b"\x0a" + b"a" * 5 * 1024 * 1024),
    ],
)
async def test_a_call_may_not_be_of_any_size(
    suite: cluster.Cluster, what: str, metadata: Metadata, body: bytes
) -> None:
    """What is too large is refused before anybody reads it, and the instance goes on serving."""
    assert suite.access is not None
    operator = suite.access.certificates.current
    token = suite.access.metadata("operator-1", "OPERATOR")
    rpc = next(rpc for rpc in served() if rpc.method.name == "ListOrders")
    async with outsider(suite, operator) as mallory:
        assert await mallory.call(rpc, (*token, *metadata), body) == Code.RESOURCE_EXHAUSTED, what
        assert await mallory.call(rpc, token) == Code.OK


async def test_the_lines_that_are_printed_work(suite: cluster.Cluster, shop: Shop) -> None:
    """The lines of `--secure files --stay` do as they are printed what they say.

    grpcurl lists a customer's orders, and `python -m discovery resolve` the instances.
    """
    order_id = (await shop.create(CUSTOMER_ID, "5")).order_id

    listed = await run_printed(suite, "grpcurl -")
    assert listed.code == 0, listed.err
    assert [order["orderId"] for order in listed.messages()[0]["orders"]] == [order_id]
    resolved = await run_printed(suite, "discovery resolve")
    assert resolved.code == 0, resolved.err
    assert " SERVING" in resolved.out
