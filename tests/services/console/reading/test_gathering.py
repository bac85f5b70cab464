"""The parts of a page, gathered under one deadline."""

import asyncio

import grpc
import pytest
from tradepost.event.v1.event_service_pb2 import ListSubscriptionsRequest, ReadEventsRequest
from tradepost.order.v1.order_service_pb2 import CreateOrderRequest, GetOrderRequest

from services.console.reading.asker import Asker, is_allowed, staff_roles
from services.console.reading.every_service import ask_every_service
from services.console.reading.gathering import Gathering
from tests.support.limits import WAIT_S

OLGA = Asker((), frozenset({"OPERATOR"}), WAIT_S)
CARL = Asker((), frozenset({"CLERK"}), WAIT_S)


def failing(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata())


async def answered() -> str:
    return "answer"


async def refused() -> str:
    raise failing(grpc.StatusCode.UNAVAILABLE)


async def unknown() -> str:
    raise failing(grpc.StatusCode.UNIMPLEMENTED)


async def test_a_part_that_fails_is_named_and_the_others_are_there() -> None:
    """One service that doesn't answer takes no page away."""
    async with Gathering(OLGA) as parts:
        good = parts.run("mails", answered, needs=GetOrderRequest)
        bad = parts.run("ledger", refused, needs=GetOrderRequest)

    assert good.value == "answer"
    assert bad.value is None
    assert parts.missing == {"ledger": "UNAVAILABLE"}


async def test_a_part_that_takes_too_long_is_cancelled() -> None:
    """The page waits for its deadline and no longer."""
    ended = asyncio.Event()

    async def frozen() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "never"

    async with Gathering(Asker((), OLGA.roles, timeout_s=0.01)) as parts:
        late = parts.run("mails", frozen, needs=GetOrderRequest)

    assert ended.is_set()
    assert parts.missing == {"mails": "DEADLINE_EXCEEDED"}
    with pytest.raises(grpc.aio.AioRpcError):
        late.required()


async def test_what_a_role_may_not_see_is_not_asked_for() -> None:
    """In the open mode no service asks who calls, so the console keeps to the contract itself."""
    asked: list[str] = []

    async def ask() -> None:
        asked.append("events")

    async with Gathering(CARL) as parts:
        parts.run("events", ask, needs=ReadEventsRequest)

    assert asked == []
    assert parts.missing == {"events": "PERMISSION_DENIED"}


async def test_a_bug_is_raised() -> None:
    """Only an answer of a service makes a part missing; a fault of the console is no part."""

    async def wrong() -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        async with Gathering(OLGA) as parts:
            parts.run("mails", wrong, needs=GetOrderRequest)


async def test_what_a_service_does_not_have_is_nothing() -> None:
    """A service without consumers has none; that is no fault."""
    async with Gathering(OLGA) as parts:
        read = ask_every_service(
            parts,
            "consumers",
            {"payment": answered, "order": unknown, "inventory": refused},
            needs=ListSubscriptionsRequest,
            nothing="none",
        )

    assert {name: part.value for name, part in read.items()} == {
        "payment": "answer",
        "order": "none",
        "inventory": None,
    }
    assert parts.missing == {"inventory's consumers": "UNAVAILABLE"}


def test_the_contract_says_who_may_see_a_page() -> None:
    """Customers have a shop: their role opens nothing here, even where the contract allows it."""
    assert staff_roles(CreateOrderRequest) == {"CLERK", "OPERATOR"}
    assert staff_roles(ReadEventsRequest) == {"OPERATOR"}
    assert not is_allowed(frozenset({"CUSTOMER"}), GetOrderRequest)
