"""Every reason of InventoryErrorReason is reached over gRPC, with its code and facts."""

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
from services.inventory.parts import Dependencies
from services.inventory.service import build
from services.inventory.store.tables import MIGRATIONS
from tests.support.chassis.rich_status import Refusal, refusal
from tests.support.clock.manual_clock import ManualClock
from tests.support.inventory.inventory_in_memory import new_request_id, ord_, reserve, rsv, upsert
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases, tamper, writing

pytestmark = pytest.mark.asyncio(loop_scope="module")

Code = grpc.StatusCode


@dataclass
class RunningService:
    """A service that admits one call at a time, with its database and clock."""

    channel: grpc.aio.Channel
    stub: InventoryServiceAsyncStub
    url: str
    clock: ManualClock

    async def stocks(self, sku: str, units: int) -> None:
        """Make an item."""
        await self.stub.UpsertItems(
            rpc.UpsertItemsRequest(request_id=new_request_id(), items=[upsert(sku, units)])
        )

    def adjusts(self, sku: str, delta: int) -> Awaitable[rpc.AdjustStockResponse]:
        """Adjust the units on hand."""
        return self.stub.AdjustStock(
            rpc.AdjustStockRequest(
                request_id=new_request_id(), sku=sku, delta=delta, reason="counted"
            )
        )

    def commits(self, order: str) -> Awaitable[rpc.CommitReservationResponse]:
        """Commit the order's reservation."""
        return self.stub.CommitReservation(
            rpc.CommitReservationRequest(request_id=new_request_id(), reservation_id=rsv(order))
        )

    def tamper_with(self, statement: str) -> None:
        """Change the tables in a way that no caller can."""
        tamper(self.url, statement)


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[RunningService]:
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
        yield RunningService(channel, InventoryServiceStub(channel), url, clock)


@pytest_asyncio.fixture(loop_scope="module")
async def service(databases: Databases) -> AsyncIterator[RunningService]:
    """A service for one test."""
    async with _opened(await databases.migrated(MIGRATIONS, "inventory")) as service:
        yield service


async def _invalid_request(service: RunningService) -> Refusal:
    return await refusal(service.stub.GetStock(rpc.GetStockRequest()))


async def _malformed_message(service: RunningService) -> Refusal:
    path = "/tradepost.inventory.v1.InventoryService/GetStock"
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = service.channel.unary_unary(path)
    return await refusal(method(b"\xff\xff"))


async def _request_id_reused(service: RunningService) -> Refusal:
    await service.stocks("apple", 5)
    request = reserve("1", apple=1)
    await service.stub.ReserveStock(request)
    request.lines[0].quantity = 2
    return await refusal(service.stub.ReserveStock(request))


async def _not_implemented(service: RunningService) -> Refusal:
    stub = event_service_pb2_grpc.DeadLetterServiceStub(service.channel)
    return await refusal(stub.ListDeadLetters(event_service_pb2.ListDeadLettersRequest()))


async def _overloaded(service: RunningService) -> Refusal:
    answer, _ = await _while_the_store_is_locked(service)
    return answer


async def _store_unavailable(service: RunningService) -> Refusal:
    _, answer = await _while_the_store_is_locked(service)
    return answer


async def _while_the_store_is_locked(service: RunningService) -> tuple[Refusal, Refusal]:
    """The refusals of two calls while the store is locked: the rejected, then the waiting one."""
    await service.stocks("apple", 5)
    with writing(service.url):
        calls = [asyncio.create_task(refusal(service.adjusts("apple", 1))) for _ in range(2)]
        (refused,), (waiting,) = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        while not waiting.done():
            await service.clock.advance(WAIT_S)
        return refused.result(), waiting.result()


async def _conflict(service: RunningService) -> Refusal:
    await service.stocks("apple", 5)
    service.tamper_with("UPDATE item SET stream_version = 7")
    return await refusal(service.adjusts("apple", 1))


async def _internal(service: RunningService) -> Refusal:
    await service.stocks("apple", 5)
    service.tamper_with("ALTER TABLE stock_movement RENAME TO mislaid")
    return await refusal(service.adjusts("apple", 1))


async def _item_not_found(service: RunningService) -> Refusal:
    return await refusal(service.stub.GetStock(rpc.GetStockRequest(sku="nowhere")))


async def _reservation_not_found(service: RunningService) -> Refusal:
    return await refusal(service.commits("404"))


async def _reservation_state_conflict(service: RunningService) -> Refusal:
    await service.stub.ReserveStock(reserve("1", nothing=1))
    return await refusal(service.commits("1"))


async def _stock_would_go_negative(service: RunningService) -> Refusal:
    await service.stocks("apple", 5)
    await service.stub.ReserveStock(reserve("1", apple=2))
    return await refusal(service.adjusts("apple", -4))


async def _committed(service: RunningService) -> dict[str, str]:
    await service.stocks("apple", 5)
    await service.stub.ReserveStock(reserve("1", apple=2))
    await service.commits("1")
    return {"request_id": new_request_id(), "reservation_id": rsv("1")}


async def _reservation_of_order(service: RunningService) -> Refusal:
    named = {**await _committed(service), "order_id": ord_("1")}
    return await refusal(service.stub.ReleaseReservation(rpc.ReleaseReservationRequest(**named)))


async def _return_exceeds_fulfilled(service: RunningService) -> Refusal:
    named = await _committed(service)
    await service.stub.FulfillReservation(rpc.FulfillReservationRequest(**named))
    request = rpc.ReturnStockRequest(**named, lines=[rpc.ReturnLine(sku="apple", quantity=3)])
    return await refusal(service.stub.ReturnStock(request))


async def _etag_mismatch(service: RunningService) -> Refusal:
    await service.stocks("apple", 5)
    item = upsert("apple")
    item.etag = ""
    request = rpc.UpsertItemsRequest(request_id=new_request_id(), items=[item])
    return await refusal(service.stub.UpsertItems(request))


async def _reservation_already_exists(service: RunningService) -> Refusal:
    await _committed(service)
    return await refusal(service.stub.ReserveStock(reserve("1", apple=2)))


async def _stock_overflow(service: RunningService) -> Refusal:
    await service.stocks("apple", 5)
    return await refusal(service.adjusts("apple", 2**63 - 1))


CASES: dict[str, tuple[Callable[[RunningService], Awaitable[Refusal]], Code, set[str]]] = {
    "INVALID_REQUEST": (_invalid_request, Code.INVALID_ARGUMENT, set()),
    "MALFORMED_MESSAGE": (_malformed_message, Code.INVALID_ARGUMENT, {"method"}),
    "REQUEST_ID_REUSED": (_request_id_reused, Code.INVALID_ARGUMENT, {"method", "request_id"}),
    "NOT_IMPLEMENTED": (_not_implemented, Code.UNIMPLEMENTED, {"feature"}),
    "OVERLOADED": (_overloaded, Code.RESOURCE_EXHAUSTED, {"limit", "setting"}),
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
    "RESERVATION_OF_ORDER": (
        _reservation_of_order,
        Code.FAILED_PRECONDITION,
        {"reservation_id", "order_id", "instead"},
    ),
    "RETURN_EXCEEDS_FULFILLED": (
        _return_exceeds_fulfilled,
        Code.FAILED_PRECONDITION,
        {"reservation_id", "sku", "requested", "returnable"},
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
async def test_a_refusal_says_why(service: RunningService, reason: str) -> None:
    """A refusal has one ErrorInfo with our domain, and the code and facts of its reason."""
    provoke, code, facts = CASES[reason]

    refused = await provoke(service)

    assert (refused.code, refused.reason, refused.domain) == (code, reason, "inventory.tradepost")
    assert refused.infos == 1
    assert set(refused.facts) == facts
    assert (refused.retry_delay_s is not None) == (reason in {"OVERLOADED", "STORE_UNAVAILABLE"})
    assert bool(refused.preconditions) == (code is Code.FAILED_PRECONDITION)


async def test_every_reason_of_the_contract_has_a_case() -> None:
    """Every reason of the contract has a test case."""
    prefix = "INVENTORY_ERROR_REASON_"
    names = {
        name.removeprefix(prefix)
        for name in inventory_error_pb2.InventoryErrorReason.DESCRIPTOR.values_by_name
    }
    assert names - {"UNSPECIFIED"} == set(CASES) | BEFORE_THE_SERVICER


async def test_every_bad_field_is_named_at_once(service: RunningService) -> None:
    """One answer names all bad fields, and nothing is changed."""
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

    refused = await refusal(service.stub.ReserveStock(request))

    assert set(refused.bad_fields) == {
        "request_id",
        "reservation_id",
        "lines[0].sku",
        "lines[1].quantity",
        "expected_total.currency_code",
        "ttl",
    }
    with pytest.raises(grpc.aio.AioRpcError):
        await service.stub.GetReservation(rpc.GetReservationRequest(reservation_id=rsv("1")))
