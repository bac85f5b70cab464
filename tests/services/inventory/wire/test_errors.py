"""Every reason of InventoryErrorReason is reached, over real gRPC, with its code and facts."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import pytest
import pytest_asyncio
from tradepost.event.v1 import event_service_pb2, event_service_pb2_grpc
from tradepost.inventory.v1 import inventory_error_pb2
from tradepost.inventory.v1 import inventory_service_pb2 as rpc
from tradepost.inventory.v1.inventory_service_pb2_grpc import (
    InventoryServiceAsyncStub,
    InventoryServiceStub,
)

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.chassis.server.lifecycle import running
from services.chassis.server.settings import ServerSettings
from services.chassis.store.database import LOCK_WAIT_S
from services.inventory.parts import Dependencies
from services.inventory.service import build
from services.inventory.store.tables import MIGRATIONS
from tests.support.chassis.rich_status import Refusal, refusal
from tests.support.clock.manual_clock import ManualClock
from tests.support.inventory.inventory_in_memory import new_request_id, ord_, reserve, rsv, upsert
from tests.support.store.databases import Databases, tamper, writing

pytestmark = pytest.mark.asyncio(loop_scope="module")

Code = grpc.StatusCode


@dataclass
class Place:
    """A service with one free place for a call, its file, and its time."""

    channel: grpc.aio.Channel
    stub: InventoryServiceAsyncStub
    url: str
    clock: ManualClock

    async def stocks(self, sku: str, units: int) -> None:
        """Put an item on the shelf."""
        await self.stub.UpsertItems(
            rpc.UpsertItemsRequest(request_id=new_request_id(), items=[upsert(sku, units)])
        )

    def adjusts(self, sku: str, delta: int) -> Awaitable[rpc.AdjustStockResponse]:
        """Count units."""
        return self.stub.AdjustStock(
            rpc.AdjustStockRequest(
                request_id=new_request_id(), sku=sku, delta=delta, reason="counted"
            )
        )

    def commits(self, order: str) -> Awaitable[rpc.CommitReservationResponse]:
        """Make the order's hold final."""
        return self.stub.CommitReservation(
            rpc.CommitReservationRequest(request_id=new_request_id(), reservation_id=rsv(order))
        )

    def tampers(self, statement: str) -> None:
        """Do to the tables what no caller can."""
        tamper(self.url, statement)


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Place]:
    clock, system, rng = ManualClock(), SystemClock(), random.Random(3)
    ids = IdFactory(clock=system, rng=rng)
    async with (
        build(database_url=url, dependencies=Dependencies(clock, ids, rng)) as service,
        running(
            service,
            settings=ServerSettings(port=0, drain_s=0, stop_grace_s=1, max_concurrent=1),
            clock=system,
            ids=ids,
            rng=rng,
        ) as server,
        grpc.aio.insecure_channel(server.endpoint) as channel,
    ):
        yield Place(channel, InventoryServiceStub(channel), url, clock)


@pytest_asyncio.fixture(loop_scope="module")
async def place(databases: Databases) -> AsyncIterator[Place]:
    """A service for one test alone."""
    async with _opened(await databases.migrated(MIGRATIONS, "inventory")) as place:
        yield place


async def _invalid_request(place: Place) -> Refusal:
    return await refusal(place.stub.GetStock(rpc.GetStockRequest()))


async def _malformed_message(place: Place) -> Refusal:
    path = "/tradepost.inventory.v1.InventoryService/GetStock"
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = place.channel.unary_unary(path)
    return await refusal(method(b"\xff\xff"))


async def _request_id_reused(place: Place) -> Refusal:
    await place.stocks("apple", 5)
    request = reserve("1", apple=1)
    await place.stub.ReserveStock(request)
    request.lines[0].quantity = 2
    return await refusal(place.stub.ReserveStock(request))


async def _not_implemented(place: Place) -> Refusal:
    stub = event_service_pb2_grpc.DeadLetterServiceStub(place.channel)
    return await refusal(stub.ListDeadLetters(event_service_pb2.ListDeadLettersRequest()))


async def _overloaded(place: Place) -> Refusal:
    answer, _ = await _while_the_store_is_locked(place)
    return answer


async def _store_unavailable(place: Place) -> Refusal:
    _, answer = await _while_the_store_is_locked(place)
    return answer


async def _while_the_store_is_locked(place: Place) -> tuple[Refusal, Refusal]:
    """What the second of two calls is told, and then the one that waits in vain for the store."""
    await place.stocks("apple", 5)
    with writing(place.url):
        calls = [asyncio.create_task(refusal(place.adjusts("apple", 1))) for _ in range(2)]
        (refused,), (waiting,) = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        while not waiting.done():
            await place.clock.advance(LOCK_WAIT_S)
        return refused.result(), waiting.result()


async def _conflict(place: Place) -> Refusal:
    await place.stocks("apple", 5)
    place.tampers("UPDATE item SET stream_version = 7")
    return await refusal(place.adjusts("apple", 1))


async def _internal(place: Place) -> Refusal:
    await place.stocks("apple", 5)
    place.tampers("ALTER TABLE stock_movement RENAME TO mislaid")
    return await refusal(place.adjusts("apple", 1))


async def _item_not_found(place: Place) -> Refusal:
    return await refusal(place.stub.GetStock(rpc.GetStockRequest(sku="nowhere")))


async def _reservation_not_found(place: Place) -> Refusal:
    return await refusal(place.commits("404"))


async def _reservation_state_conflict(place: Place) -> Refusal:
    await place.stub.ReserveStock(reserve("1", nothing=1))
    return await refusal(place.commits("1"))


async def _stock_would_go_negative(place: Place) -> Refusal:
    await place.stocks("apple", 5)
    await place.stub.ReserveStock(reserve("1", apple=2))
    return await refusal(place.adjusts("apple", -4))


async def _etag_mismatch(place: Place) -> Refusal:
    await place.stocks("apple", 5)
    item = upsert("apple")
    item.etag = ""
    request = rpc.UpsertItemsRequest(request_id=new_request_id(), items=[item])
    return await refusal(place.stub.UpsertItems(request))


async def _reservation_already_exists(place: Place) -> Refusal:
    await place.stocks("apple", 5)
    await place.stub.ReserveStock(reserve("1", apple=2))
    return await refusal(place.stub.ReserveStock(reserve("1", apple=2)))


async def _stock_overflow(place: Place) -> Refusal:
    await place.stocks("apple", 5)
    return await refusal(place.adjusts("apple", 2**63 - 1))


CASES: dict[str, tuple[Callable[[Place], Awaitable[Refusal]], Code, set[str]]] = {
    "INVALID_REQUEST": (_invalid_request, Code.INVALID_ARGUMENT, set()),
    "MALFORMED_MESSAGE": (_malformed_message, Code.INVALID_ARGUMENT, {"method"}),
    "REQUEST_ID_REUSED": (_request_id_reused, Code.INVALID_ARGUMENT, {"method", "request_id"}),
    "NOT_IMPLEMENTED": (_not_implemented, Code.UNIMPLEMENTED, {"feature"}),
    "OVERLOADED": (_overloaded, Code.RESOURCE_EXHAUSTED, {"limit"}),
    "STORE_UNAVAILABLE": (_store_unavailable, Code.UNAVAILABLE, set()),
    "CONFLICT": (_conflict, Code.ABORTED, {"stream", "expected_version"}),
    "INTERNAL": (_internal, Code.INTERNAL, {"error_id"}),
    "ITEM_NOT_FOUND": (_item_not_found, Code.NOT_FOUND, {"sku"}),
    "RESERVATION_NOT_FOUND": (_reservation_not_found, Code.NOT_FOUND, {"reservation_id"}),
    "RESERVATION_STATE_CONFLICT": (
        _reservation_state_conflict,
        Code.FAILED_PRECONDITION,
        {"reservation_id", "state", "wanted"},
    ),
    "STOCK_WOULD_GO_NEGATIVE": (
        _stock_would_go_negative,
        Code.FAILED_PRECONDITION,
        {"sku", "on_hand", "reserved", "delta"},
    ),
    "ETAG_MISMATCH": (_etag_mismatch, Code.ABORTED, {"sku", "expected", "actual"}),
    "RESERVATION_ALREADY_EXISTS": (
        _reservation_already_exists,
        Code.ALREADY_EXISTS,
        {"reservation_id", "state"},
    ),
    "STOCK_OVERFLOW": (_stock_overflow, Code.OUT_OF_RANGE, {"sku", "on_hand", "delta"}),
}
# The server raises them before a servicer is asked; the tests of the chassis reach them.
BEFORE_THE_SERVICER = {"DEADLINE_PASSED", "DRAINING"}


@pytest.mark.parametrize("reason", CASES)
async def test_a_refusal_says_why(place: Place, reason: str) -> None:
    """One ErrorInfo with our domain, the contract's code, and the facts by name."""
    provoke, code, facts = CASES[reason]

    refused = await provoke(place)

    assert (refused.code, refused.reason, refused.domain) == (code, reason, "inventory.tradepost")
    assert refused.infos == 1
    assert set(refused.facts) == facts
    assert (refused.retry_delay_s is not None) == (reason in {"OVERLOADED", "STORE_UNAVAILABLE"})
    assert bool(refused.preconditions) == (code is Code.FAILED_PRECONDITION)


async def test_every_reason_of_the_contract_has_a_case() -> None:
    """A new reason needs a way to reach it."""
    prefix = "INVENTORY_ERROR_REASON_"
    names = {
        name.removeprefix(prefix)
        for name in inventory_error_pb2.InventoryErrorReason.DESCRIPTOR.values_by_name
    }
    assert names - {"UNSPECIFIED"} == set(CASES) | BEFORE_THE_SERVICER


async def test_every_bad_field_is_named_at_once(place: Place) -> None:
    """One answer tells everything that is wrong, and nothing was changed."""
    request = rpc.ReserveStockRequest(
        request_id="yesterday",
        reservation_id=rsv("1"),
        order_id=ord_("2"),
        lines=[
            rpc.ReserveLine(sku="two words", quantity=1),
            rpc.ReserveLine(sku="apple", quantity=0),
        ],
    )
    request.expected_total.currency_code = "dollars"

    refused = await refusal(place.stub.ReserveStock(request))

    assert set(refused.bad_fields) == {
        "request_id",
        "reservation_id",
        "lines[0].sku",
        "lines[1].quantity",
        "expected_total.currency_code",
        "ttl",
    }
    with pytest.raises(grpc.aio.AioRpcError):
        await place.stub.GetReservation(rpc.GetReservationRequest(reservation_id=rsv("1")))
