"""One request_id has one effect."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import Connection
from tradepost.order.v1 import order_service_pb2

from services.chassis.identity.caller import Caller
from services.chassis.request.errors import RequestIdReusedError
from services.chassis.request.request_ids import (
    RememberedRequest,
    fingerprint,
    own_id,
    own_steps,
    recall,
    remember,
)
from services.chassis.store.database import Database
from tests.support.identity.acting import acting
from tests.support.store.databases import Databases, opened_database

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_request(
    *, request_id: str = "r1", customer_id: str = "c1"
) -> order_service_pb2.CreateOrderRequest:
    """Make a request as a caller sends it."""
    return order_service_pb2.CreateOrderRequest(request_id=request_id, customer_id=customer_id)


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    """A migrated database."""
    async with opened_database(databases) as opened:
        yield opened


def remember_order(connection: Connection, response: bytes | None) -> None:
    """Store that the request created `ord_1`."""
    remember(
        connection,
        method="CreateOrder",
        request_id="r1",
        fingerprint=b"same",
        resource="ord_1",
        response=response,
        now=NOW,
    )


recall_order = partial(recall, method="CreateOrder", request_id="r1", fingerprint=b"same")


async def test_a_new_request_is_unknown(database: Database) -> None:
    """A request_id that has changed nothing has no row."""
    assert await database.read(recall_order) is None


@pytest.mark.parametrize("response", [None, b"", b"the answer"])
async def test_a_repeat_recalls_the_resource_and_the_response(
    database: Database, response: bytes | None
) -> None:
    """A repeat gets the stored response, or the resource of a method that may be pending."""
    await database.write(remember_order, response)

    assert await database.read(recall_order) == RememberedRequest("ord_1", response)


async def test_another_request_under_the_same_id_is_refused(database: Database) -> None:
    """A different request with a used request_id is refused."""
    await database.write(remember_order, None)

    with pytest.raises(RequestIdReusedError) as raised:
        await database.read(
            partial(recall, method="CreateOrder", request_id="r1", fingerprint=b"other")
        )
    assert raised.value.facts == {"method": "CreateOrder", "request_id": "r1"}


async def test_methods_have_request_ids_of_their_own(database: Database) -> None:
    """The same request_id in another method is another request."""
    await database.write(remember_order, None)

    other = partial(recall, method="CancelOrder", request_id="r1", fingerprint=b"other")
    assert await database.read(other) is None


def test_the_fingerprint_is_of_the_request_without_its_id() -> None:
    """Equal requests have the same fingerprint, whatever their ids."""
    request = a_request(request_id="r1")

    assert fingerprint(request) == fingerprint(a_request(request_id="r2"))
    assert fingerprint(request) != fingerprint(a_request(customer_id="c2"))
    assert len(fingerprint(request)) == 32
    assert request.request_id == "r1"


async def test_people_have_request_ids_of_their_own(database: Database) -> None:
    """A person's row is found by that person only, as it is read and written on other threads."""
    with acting(Caller(subject="alice")):
        await database.write(remember_order, None)

    for other in (Caller(subject="bob"), Caller(service="order")):
        with acting(other):
            assert await database.read(recall_order) is None
            await database.write(remember_order, None)
    with acting(Caller(subject="alice", service="edge")):
        assert await database.read(recall_order) == RememberedRequest("ord_1", None)


def test_what_a_service_does_for_a_person_has_the_services_ids() -> None:
    """A step is the same request whether its event came by itself or a person replays it."""
    with acting(Caller(subject="olga")):
        assert own_id("r1") != "r1"
        with own_steps():
            assert own_id("r1") == "r1"
        assert own_id("r1") == own_id("r1") != own_id("r2")
