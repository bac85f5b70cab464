"""Every reason of PaymentErrorReason is reached over gRPC, with its code and facts."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import grpc
import pytest
import pytest_asyncio
from tradepost.event.v1 import event_service_pb2
from tradepost.event.v1.event_service_pb2_grpc import DeadLetterServiceStub
from tradepost.payment.v1 import payment_error_pb2
from tradepost.payment.v1 import payment_pb2 as pb
from tradepost.payment.v1 import payment_service_pb2 as rpc
from tradepost.payment.v1.payment_service_pb2_grpc import (
    PaymentServiceAsyncStub,
    PaymentServiceStub,
)

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.chassis.server.lifecycle import running
from services.chassis.server.settings import ServerSettings
from services.payment.domain.refund_rules import MAX_PARTIAL_REFUNDS
from services.payment.parts import Dependencies
from services.payment.service import build
from services.payment.store.tables import MIGRATIONS
from tests.support.chassis.rich_status import Refusal, refusal
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.payment import payment_requests
from tests.support.payment.scripted_processor import MemoryProcessor
from tests.support.store.databases import Databases, tamper, writing

pytestmark = pytest.mark.asyncio(loop_scope="module")

Code = grpc.StatusCode


@dataclass
class RunningService:
    """A service with one free service for a call, its database, and its time."""

    channel: grpc.aio.Channel
    stub: PaymentServiceAsyncStub
    url: str
    clock: ManualClock

    async def authorized(self) -> pb.Payment:
        """An authorized payment of 19.99 USD."""
        return (await self.stub.AuthorizePayment(payment_requests.authorize())).payment

    async def captured(self) -> pb.Payment:
        """A captured payment of 19.99 USD."""
        request = payment_requests.capture((await self.authorized()).payment_id)
        return (await self.stub.CapturePayment(request)).payment

    def tamper_with(self, statement: str) -> None:
        """Change the tables in a way that no caller can."""
        tamper(self.url, statement)


@pytest_asyncio.fixture(loop_scope="module")
async def service(databases: Databases) -> AsyncIterator[RunningService]:
    """A service for one test."""
    clock, system, rng = ManualClock(), SystemClock(), random.Random(3)
    ids = IdFactory(clock=system, rng=rng)
    url = await databases.migrated(MIGRATIONS, "payment")
    async with (
        build(
            database_url=url,
            dependencies=Dependencies(clock, ids, rng, MemoryProcessor()),
        ) as service,
        running(
            service,
            settings=ServerSettings(port=0, drain_s=0, stop_grace_s=1, max_concurrent=1),
            clock=system,
            ids=ids,
            rng=rng,
        ) as server,
        grpc.aio.insecure_channel(server.endpoint) as channel,
    ):
        yield RunningService(channel, PaymentServiceStub(channel), url, clock)


async def _invalid_request(service: RunningService) -> Refusal:
    return await refusal(service.stub.GetPayment(rpc.GetPaymentRequest()))


async def _malformed_message(service: RunningService) -> Refusal:
    path = "/tradepost.payment.v1.PaymentService/GetPayment"
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = service.channel.unary_unary(path)
    return await refusal(method(b"\xff\xff"))


async def _request_id_reused(service: RunningService) -> Refusal:
    request = payment_requests.authorize()
    await service.stub.AuthorizePayment(request)
    request.amount.minor_units += 1
    return await refusal(service.stub.AuthorizePayment(request))


async def _not_implemented(service: RunningService) -> Refusal:
    stub = DeadLetterServiceStub(service.channel)
    return await refusal(stub.ListDeadLetters(event_service_pb2.ListDeadLettersRequest()))


async def _overloaded(service: RunningService) -> Refusal:
    answer, _ = await _while_the_store_is_locked(service)
    return answer


async def _store_unavailable(service: RunningService) -> Refusal:
    _, answer = await _while_the_store_is_locked(service)
    return answer


async def _while_the_store_is_locked(service: RunningService) -> tuple[Refusal, Refusal]:
    """The refusals of two calls while the store is locked: the rejected, then the waiting one."""
    with writing(service.url):
        calls = [
            asyncio.create_task(
                refusal(service.stub.AuthorizePayment(payment_requests.authorize()))
            )
            for _ in range(2)
        ]
        (refused,), (waiting,) = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        while not waiting.done():
            await service.clock.advance(WAIT_S)
        return refused.result(), waiting.result()


async def _conflict(service: RunningService) -> Refusal:
    payment = await service.authorized()
    service.tamper_with("UPDATE payment SET version = 7")
    return await refusal(service.stub.CapturePayment(payment_requests.capture(payment.payment_id)))


async def _internal(service: RunningService) -> Refusal:
    service.tamper_with("ALTER TABLE request RENAME TO mislaid")
    return await refusal(service.stub.AuthorizePayment(payment_requests.authorize()))


async def _payment_not_found(service: RunningService) -> Refusal:
    request = rpc.GetPaymentRequest(payment_id=payment_requests.new_payment_id())
    return await refusal(service.stub.GetPayment(request))


async def _payment_state_conflict(service: RunningService) -> Refusal:
    request = payment_requests.refund((await service.authorized()).payment_id)
    return await refusal(service.stub.RefundPayment(request))


async def _payment_already_exists(service: RunningService) -> Refusal:
    request = payment_requests.authorize(order_id=(await service.authorized()).order_id)
    return await refusal(service.stub.AuthorizePayment(request))


async def _amount_exceeds_refundable(service: RunningService) -> Refusal:
    request = payment_requests.refund((await service.captured()).payment_id, 2000)
    return await refusal(service.stub.RefundPayment(request))


async def _too_many_attempts(service: RunningService) -> Refusal:
    payment_id = (await service.captured()).payment_id
    for _ in range(MAX_PARTIAL_REFUNDS):
        await service.stub.RefundPayment(payment_requests.refund(payment_id, 1))
    return await refusal(service.stub.RefundPayment(payment_requests.refund(payment_id, 1)))


async def _refund_not_refused(service: RunningService) -> Refusal:
    request = payment_requests.refund((await service.captured()).payment_id)
    request.refused_refund_id, request.reason = "ref_" + "0" * 32, "bank transfer 4711"
    return await refusal(service.stub.RefundPayment(request))


async def _currency_mismatch(service: RunningService) -> Refusal:
    request = payment_requests.refund((await service.captured()).payment_id, 1, currency="EUR")
    return await refusal(service.stub.RefundPayment(request))


CASES: dict[str, tuple[Callable[[RunningService], Awaitable[Refusal]], Code, set[str]]] = {
    "INVALID_REQUEST": (_invalid_request, Code.INVALID_ARGUMENT, set()),
    "MALFORMED_MESSAGE": (_malformed_message, Code.INVALID_ARGUMENT, {"method"}),
    "REQUEST_ID_REUSED": (_request_id_reused, Code.INVALID_ARGUMENT, {"method", "request_id"}),
    "NOT_IMPLEMENTED": (_not_implemented, Code.UNIMPLEMENTED, {"feature"}),
    "OVERLOADED": (_overloaded, Code.RESOURCE_EXHAUSTED, {"limit", "setting"}),
    "STORE_UNAVAILABLE": (_store_unavailable, Code.UNAVAILABLE, set()),
    "CONFLICT": (_conflict, Code.ABORTED, {"stream", "expected_version"}),
    "INTERNAL": (_internal, Code.INTERNAL, {"error_id"}),
    "PAYMENT_NOT_FOUND": (_payment_not_found, Code.NOT_FOUND, {"payment_id"}),
    "PAYMENT_STATE_CONFLICT": (
        _payment_state_conflict,
        Code.FAILED_PRECONDITION,
        {"payment_id", "state"},
    ),
    "PAYMENT_ALREADY_EXISTS": (
        _payment_already_exists,
        Code.ALREADY_EXISTS,
        {"order_id", "payment_id"},
    ),
    "AMOUNT_EXCEEDS_REFUNDABLE": (
        _amount_exceeds_refundable,
        Code.FAILED_PRECONDITION,
        {"payment_id", "requested", "refundable"},
    ),
    "TOO_MANY_ATTEMPTS": (
        _too_many_attempts,
        Code.FAILED_PRECONDITION,
        {"payment_id", "limit"},
    ),
    "REFUND_NOT_REFUSED": (
        _refund_not_refused,
        Code.FAILED_PRECONDITION,
        {"refund_id", "state"},
    ),
    "CURRENCY_MISMATCH": (
        _currency_mismatch,
        Code.INVALID_ARGUMENT,
        {"payment_id", "payment_currency", "requested_currency"},
    ),
}
# The server raises them before a servicer is asked; the tests of the chassis reach them.
BEFORE_THE_SERVICER = {"DEADLINE_PASSED", "DRAINING"}


@pytest.mark.parametrize("reason", CASES)
async def test_a_refusal_says_why(service: RunningService, reason: str) -> None:
    """A refusal has one ErrorInfo with our domain, and the code and facts of its reason."""
    provoke, code, facts = CASES[reason]

    refused = await provoke(service)

    assert (refused.code, refused.reason, refused.domain) == (code, reason, "payment.tradepost")
    assert refused.infos == 1
    assert set(refused.facts) == facts
    assert (refused.retry_delay_s is not None) == (reason in {"OVERLOADED", "STORE_UNAVAILABLE"})
    assert bool(refused.preconditions) == (code is Code.FAILED_PRECONDITION)


async def test_every_reason_of_the_contract_has_a_case() -> None:
    """Every reason of the contract has a test case."""
    prefix = "PAYMENT_ERROR_REASON_"
    names = {
        name.removeprefix(prefix)
        for name in payment_error_pb2.PaymentErrorReason.DESCRIPTOR.values_by_name
    }
    assert names - {"UNSPECIFIED"} == set(CASES) | BEFORE_THE_SERVICER
