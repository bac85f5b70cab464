"""Who gets which verdict through a real Envoy: every public RPC, by every protocol."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf import json_format, message_factory
from tradepost.order.v1.order_service_pb2 import ListOrdersRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

from services.edge.contract.methods import PublicMethod
from tests.contracts.test_policies import EDGE
from tests.support.attempts.guarded_edge import GuardedEdge, guarded_edge, naming
from tests.support.attempts.page import expect_table
from tests.support.attempts.tokens import SUBJECT, unproven_tokens
from tests.support.edge.answer import Answer
from tests.support.edge.protocols import Headers
from tests.support.identity.known_callers import KnownCallers, service
from tests.support.identity.whole_suite import (
    ACCESS_REASONS,
    ALLOWED,
    ROLES,
    expected_verdict,
    verdict,
)
from tests.support.order.order_service import no_order_id
from tests.support.request_ids.scenarios import add_stock, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLERS = KnownCallers()
NOBODY = {"TOKEN_REQUIRED", "TOKEN_INVALID", "TOKEN_EXPIRED"}
EVERY = "every public RPC"
UNPROVEN: Mapping[str, Headers] = {
    "no token": (),
    **{each.what: each.metadata for each in unproven_tokens(CALLERS.issuer)},
}
SHOWN_ROLES: Mapping[str, tuple[str, ...]] = {
    "a token without a role": (),
    **{f"a token with the role {role}": (role,) for role in ROLES},
    "a token with all roles": ROLES,
}


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The verdict on each public method by its path: through the edge, and at the service."""

    edge: Mapping[str, str]
    service: Mapping[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GuardedEdge]:
    """An edge and four services that believe the same issuer, with milk in stock."""
    async with guarded_edge(tmp_path_factory.mktemp("edge"), CALLERS) as guarded:
        await add_stock(guarded.suite)
        yield guarded


def verdict_of(answer: Answer) -> str:
    """The reason for which access was refused, or that the call was let through."""
    return answer.reason if answer.reason in ACCESS_REASONS | NOBODY else ALLOWED


async def verdicts(guarded: GuardedEdge, shown: Headers) -> Verdicts:
    """The verdicts on a caller, which must be the same by every protocol; `shown` may be empty."""
    methods = guarded.edge.contract.methods
    edge = {
        method.path: verdict_of(await guarded.call(method, naming(method, SUBJECT), shown))
        for method in methods
    }
    metadata = tuple(shown) or service("")
    rpcs = [guarded.suite.rpc(path.removeprefix("/")) for path in edge]
    direct = await asyncio.gather(*(verdict(guarded.suite, rpc, metadata) for rpc in rpcs))
    return Verdicts(edge, dict(zip(edge, direct, strict=True)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def unproven(guarded: GuardedEdge) -> Mapping[str, Verdicts]:
    """The verdicts on callers who prove nothing, by what they show."""
    return {what: await verdicts(guarded, shown) for what, shown in UNPROVEN.items()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(guarded: GuardedEdge) -> Mapping[str, Verdicts]:
    """The verdicts on people with valid tokens, by what they show."""
    return {
        what: await verdicts(guarded, CALLERS.person(SUBJECT, *roles))
        for what, roles in SHOWN_ROLES.items()
    }


async def test_every_public_method_of_the_contracts_is_tried(guarded: GuardedEdge) -> None:
    """The matrix leaves no method out that the contracts make public."""
    tried = {method.full_name for method in guarded.edge.contract.methods}
    assert tried == {method.full_name for method in EDGE}


async def test_nobody_is_let_through_without_a_proof(unproven: Mapping[str, Verdicts]) -> None:
    """Who shows no valid token is not known to the edge, and not to any service behind it."""
    for what, found in unproven.items():
        assert {*found.edge.values(), *found.service.values()} <= NOBODY, what


async def test_every_verdict_is_that_of_the_contract(people: Mapping[str, Verdicts]) -> None:
    """Through the edge a person may call what the contract says, as at the service itself."""
    for what, found in people.items():
        stated = {path: expected_verdict(path, SHOWN_ROLES[what]) for path in found.edge}
        assert (found.edge, found.service) == (stated, stated), what


async def test_the_page_shows_what_was_tried(
    unproven: Mapping[str, Verdicts], people: Mapping[str, Verdicts]
) -> None:
    """The table of docs/security.md lists these attempts with the reasons of their refusals."""
    rows = []
    for what, found in {**unproven, **people}.items():
        refused = sorted(set(found.edge.values()) - {ALLOWED})
        against = EVERY if ALLOWED not in found.edge.values() else f"{EVERY} for other roles"
        if refused:
            rows.append([what, against, ", ".join(f"`{reason}`" for reason in refused)])

    expect_table("tokens at the edge", rows)


def method_of(guarded: GuardedEdge, name: str) -> PublicMethod:
    """The public method of this name."""
    (found,) = (each for each in guarded.edge.contract.methods if each.name == name)
    return found


async def ask(guarded: GuardedEdge, customer: str, name: str, **fields: Any) -> Answer:
    """The answer to a customer's call, which must be the same by every protocol."""
    method = method_of(guarded, name)
    request = json_format.ParseDict(fields, message_factory.GetMessageClass(method.request)())
    return await guarded.call(method, request, CALLERS.person(customer, "CUSTOMER"))


async def place(guarded: GuardedEdge, customer: str, request_id: str) -> Any:
    """The order that a customer places by every protocol with the same request."""
    answer = await ask(
        guarded,
        customer,
        "CreateOrder",
        request_id=request_id,
        lines=[{"sku": "milk", "quantity": 1}],
        payment_method="pm_visa",
    )
    (created,) = answer.messages
    return json_format.MessageToDict(created)["order"]


async def test_an_answer_that_is_reused_is_the_same_for_everybody(guarded: GuardedEdge) -> None:
    """The service gives everybody the very answer that the edge may give to the next caller."""
    reusable = [method for method in guarded.edge.contract.methods if method.max_age_s]
    assert reusable
    for method in reusable:
        rpc, request = guarded.suite.rpc(method.path[1:]), b""
        people = [CALLERS.person(f"{role}-{n}", role) for role in method.roles for n in range(2)]
        answers = {await guarded.suite.send(rpc, request, each) for each in people}
        assert len(answers) == 1, method.path


async def test_an_order_of_somebody_else_looks_like_none(guarded: GuardedEdge) -> None:
    """Nobody reads, watches or cancels another customer's order, or learns that there is one."""
    theirs, missing = (await place(guarded, "alice", new_id()))["orderId"], no_order_id()

    for order_id in (theirs, missing):
        for name, more in (
            ("GetOrder", {}),
            ("WatchOrder", {}),
            ("CancelOrder", {"request_id": new_id(), "reason": "mine"}),
        ):
            answer = await ask(guarded, "bob", name, order_id=order_id, **more)
            assert answer.reason == "ORDER_NOT_FOUND", name
    assert await owned_by(guarded, "bob") == []


async def test_a_repeated_request_has_one_effect(guarded: GuardedEdge) -> None:
    """The same request with the same token, once by each protocol, places one order."""
    request_id = new_id()
    order = await place(guarded, "carl", request_id)

    assert await place(guarded, "carl", request_id) == order
    assert await owned_by(guarded, "carl") == [order["orderId"]]


async def test_a_request_id_of_somebody_else_is_ones_own(guarded: GuardedEdge) -> None:
    """A request_id that another customer used shows and blocks nothing."""
    request_id = new_id()
    hers, his = [await place(guarded, each, request_id) for each in ("dora", "emil")]

    assert (hers["customerId"], his["customerId"]) == ("dora", "emil")
    assert await owned_by(guarded, "dora") == [hers["orderId"]]
    assert await owned_by(guarded, "emil") == [his["orderId"]]


async def owned_by(guarded: GuardedEdge, customer: str) -> list[str]:
    """The ids of a customer's orders, as an operator lists them."""
    orders = OrderServiceStub(guarded.suite.channels["order"])
    found = await orders.ListOrders(ListOrdersRequest(customer_id=customer))
    return [each.order_id for each in found.orders]
