"""Every reason that payments raise, over real gRPC: its code, its domain, its facts."""

import asyncio
import fcntl
import random
import sqlite3
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration
from tradepost.event.v1 import event_service_pb2
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub
from tradepost.payment.v1 import payment_error_pb2
from tradepost.payment.v1 import payment_pb2 as pb
from tradepost.payment.v1 import payment_service_pb2 as rpc
from tradepost.payment.v1.payment_service_pb2_grpc import (
    PaymentServiceAsyncStub,
    PaymentServiceStub,
)
from tradepost.type.v1.money_pb2 import Money

from discovery.clock import SystemClock
from services.chassis.database import LOCK_WAIT_S
from services.chassis.ids import IdFactory
from services.chassis.server import running
from services.chassis.settings import ServerSettings
from services.payment.service import build
from tests.manual_clock import ManualClock
from tests.payment import requests
from tests.payment.processors import MemoryProcessor
from tests.rich_status import Refusal, refusal

pytestmark = pytest.mark.asyncio(loop_scope="module")

Code = grpc.StatusCode


@dataclass
class Place:
    """A service with one free place for a call, its file, and its time."""

    channel: grpc.aio.Channel
    stub: PaymentServiceAsyncStub
    path: Path
    clock: ManualClock

    async def authorized(self) -> pb.Payment:
        """A payment of 19.99 USD that is set aside."""
        return (await self.stub.AuthorizePayment(requests.authorize())).payment

    async def captured(self) -> pb.Payment:
        """A payment of 19.99 USD that was taken."""
        request = requests.capture((await self.authorized()).payment_id)
        return (await self.stub.CapturePayment(request)).payment

    def tampers(self, statement: str) -> None:
        """Do to the tables what no caller can."""
        connection = sqlite3.connect(self.path)
        connection.execute(statement)
        connection.commit()
        connection.close()


@pytest_asyncio.fixture(loop_scope="module")
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """A service for one test alone."""
    clock, system, rng = ManualClock(), SystemClock(), random.Random(3)
    ids = IdFactory(clock=system, rng=rng)
    path = tmp_path / "payment.db"
    async with (
        build(
            database_url=f"sqlite:///{path}",
            processor=MemoryProcessor(),
            clock=clock,
            ids=ids,
            rng=rng,
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
        yield Place(channel, PaymentServiceStub(channel), path, clock)


async def _invalid_request(place: Place) -> Refusal:
    return await refusal(place.stub.GetPayment(rpc.GetPaymentRequest()))


async def _malformed_message(place: Place) -> Refusal:
    path = "/tradepost.payment.v1.PaymentService/GetPayment"
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = place.channel.unary_unary(path)
    return await refusal(method(b"\xff\xff"))


async def _request_id_reused(place: Place) -> Refusal:
    request = requests.authorize()
    await place.stub.AuthorizePayment(request)
    request.amount.minor_units += 1
    return await refusal(place.stub.AuthorizePayment(request))


async def _not_implemented(place: Place) -> Refusal:
    stub = EventFeedServiceStub(place.channel)
    return await refusal(stub.GetFeed(event_service_pb2.GetFeedRequest()))


async def _overloaded(place: Place) -> Refusal:
    answer, _ = await _while_the_store_is_locked(place)
    return answer


async def _store_unavailable(place: Place) -> Refusal:
    _, answer = await _while_the_store_is_locked(place)
    return answer


async def _while_the_store_is_locked(place: Place) -> tuple[Refusal, Refusal]:
    """What the second of two calls is told, and then the one that waits in vain for the store."""
    with place.path.with_name(place.path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        calls = [
            asyncio.create_task(refusal(place.stub.AuthorizePayment(requests.authorize())))
            for _ in range(2)
        ]
        (refused,), (waiting,) = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        while not waiting.done():
            await place.clock.advance(LOCK_WAIT_S)
        return refused.result(), waiting.result()


async def _conflict(place: Place) -> Refusal:
    payment = await place.authorized()
    place.tampers("UPDATE payment SET version = 7")
    return await refusal(place.stub.CapturePayment(requests.capture(payment.payment_id)))


async def _internal(place: Place) -> Refusal:
    place.tampers("ALTER TABLE request RENAME TO mislaid")
    return await refusal(place.stub.AuthorizePayment(requests.authorize()))


async def _payment_not_found(place: Place) -> Refusal:
    request = rpc.GetPaymentRequest(payment_id=requests.new_payment_id())
    return await refusal(place.stub.GetPayment(request))


async def _payment_state_conflict(place: Place) -> Refusal:
    request = requests.refund((await place.authorized()).payment_id)
    return await refusal(place.stub.RefundPayment(request))


async def _payment_already_exists(place: Place) -> Refusal:
    request = requests.authorize(order_id=(await place.authorized()).order_id)
    return await refusal(place.stub.AuthorizePayment(request))


async def _amount_exceeds_refundable(place: Place) -> Refusal:
    request = requests.refund((await place.captured()).payment_id, 2000)
    return await refusal(place.stub.RefundPayment(request))


async def _currency_mismatch(place: Place) -> Refusal:
    request = requests.refund((await place.captured()).payment_id, 1, currency="EUR")
    return await refusal(place.stub.RefundPayment(request))


CASES: dict[str, tuple[Callable[[Place], Awaitable[Refusal]], Code, set[str]]] = {
    "INVALID_REQUEST": (_invalid_request, Code.INVALID_ARGUMENT, set()),
    "MALFORMED_MESSAGE": (_malformed_message, Code.INVALID_ARGUMENT, {"method"}),
    "REQUEST_ID_REUSED": (_request_id_reused, Code.INVALID_ARGUMENT, {"method", "request_id"}),
    "NOT_IMPLEMENTED": (_not_implemented, Code.UNIMPLEMENTED, {"feature"}),
    "OVERLOADED": (_overloaded, Code.RESOURCE_EXHAUSTED, {"limit"}),
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
    "CURRENCY_MISMATCH": (
        _currency_mismatch,
        Code.INVALID_ARGUMENT,
        {"payment_id", "payment_currency", "requested_currency"},
    ),
}
# The server raises them before a servicer is asked; the tests of the chassis reach them.
BEFORE_THE_SERVICER = {"DEADLINE_PASSED", "DRAINING"}


@pytest.mark.parametrize("reason", CASES)
async def test_a_refusal_says_why(place: Place, reason: str) -> None:
    """One ErrorInfo with our domain, the contract's code, and the facts by name."""
    provoke, code, facts = CASES[reason]

    refused = await provoke(place)

    assert (refused.code, refused.reason, refused.domain) == (code, reason, "payment.tradepost")
    assert refused.infos == 1
    assert set(refused.facts) == facts
    assert (refused.retry_delay_s is not None) == (reason in {"OVERLOADED", "STORE_UNAVAILABLE"})
    assert bool(refused.preconditions) == (code is Code.FAILED_PRECONDITION)


async def test_every_reason_of_the_contract_has_a_case() -> None:
    """A new reason needs a way to reach it."""
    prefix = "PAYMENT_ERROR_REASON_"
    names = {
        name.removeprefix(prefix)
        for name in payment_error_pb2.PaymentErrorReason.DESCRIPTOR.values_by_name
    }
    assert names - {"UNSPECIFIED"} == set(CASES) | BEFORE_THE_SERVICER


async def refused(call: Awaitable[object], code: grpc.StatusCode, reason: str) -> Refusal:
    """The refusal of a call that has to be refused like this."""
    error = await refusal(call)
    assert (error.code, error.reason) == (code, reason)
    return error


async def bad_fields(call: Awaitable[object]) -> set[str]:
    """The fields that a refusal names."""
    return set((await refusal(call)).bad_fields)


async def test_an_unknown_payment_is_not_found(grpc_stub: PaymentServiceAsyncStub) -> None:
    """By every method that names one."""
    nobody = requests.new_payment_id()
    for call in (
        grpc_stub.GetPayment(rpc.GetPaymentRequest(payment_id=nobody)),
        grpc_stub.CapturePayment(requests.capture(nobody)),
        grpc_stub.VoidPayment(requests.void(nobody)),
        grpc_stub.RefundPayment(requests.refund(nobody)),
    ):
        error = await refused(call, Code.NOT_FOUND, "PAYMENT_NOT_FOUND")
        assert error.facts == {"payment_id": nobody}


async def test_an_authorization_of_another_order_is_not_found(
    grpc_stub: PaymentServiceAsyncStub,
) -> None:
    """Whoever voids must know whose order it is."""
    request = requests.authorize()
    payment = (await grpc_stub.AuthorizePayment(request)).payment
    by_payment = requests.void(payment.payment_id)
    by_payment.order_id = requests.new_order_id()
    by_request = requests.void_unseen(request.request_id, requests.new_order_id())
    for void in (by_payment, by_request):
        await refused(grpc_stub.VoidPayment(void), Code.NOT_FOUND, "PAYMENT_NOT_FOUND")


async def test_a_state_can_stand_in_the_way(grpc_stub: PaymentServiceAsyncStub) -> None:
    """The error tells the state, and nothing was stored: the same request may be right later."""
    payment = (await grpc_stub.AuthorizePayment(requests.authorize())).payment
    refund = requests.refund(payment.payment_id)
    conflict = (Code.FAILED_PRECONDITION, "PAYMENT_STATE_CONFLICT")
    error = await refused(grpc_stub.RefundPayment(refund), *conflict)
    await grpc_stub.CapturePayment(requests.capture(payment.payment_id))

    assert error.facts == {"payment_id": payment.payment_id, "state": "AUTHORIZED"}
    await refused(grpc_stub.VoidPayment(requests.void(payment.payment_id)), *conflict)
    await refused(grpc_stub.CapturePayment(requests.capture(payment.payment_id)), *conflict)
    assert (await grpc_stub.RefundPayment(refund)).payment.refunded_amount.minor_units == 1999


async def test_an_order_has_one_live_payment(grpc_stub: PaymentServiceAsyncStub) -> None:
    """The error names the one it has."""
    request = requests.authorize()
    payment = (await grpc_stub.AuthorizePayment(request)).payment
    second = requests.authorize(order_id=request.order_id)
    error = await refused(
        grpc_stub.AuthorizePayment(second),
        Code.ALREADY_EXISTS,
        "PAYMENT_ALREADY_EXISTS",
    )

    assert error.facts["payment_id"] == payment.payment_id


async def test_no_more_goes_back_than_was_taken(grpc_stub: PaymentServiceAsyncStub) -> None:
    """The facts are what was asked for and what is left."""
    payment = (await grpc_stub.AuthorizePayment(requests.authorize())).payment
    await grpc_stub.CapturePayment(requests.capture(payment.payment_id))
    error = await refused(
        grpc_stub.RefundPayment(requests.refund(payment.payment_id, 2000)),
        Code.FAILED_PRECONDITION,
        "AMOUNT_EXCEEDS_REFUNDABLE",
    )

    assert error.facts["requested"] == "2000"
    assert error.facts["refundable"] == "1999"
    euros = requests.refund(payment.payment_id, 1, currency="EUR")
    await refused(grpc_stub.RefundPayment(euros), Code.INVALID_ARGUMENT, "CURRENCY_MISMATCH")


async def test_a_request_id_means_one_request(grpc_stub: PaymentServiceAsyncStub) -> None:
    """Another request under it is refused; the same in another spelling of the UUID is not."""
    request = requests.authorize()
    payment = (await grpc_stub.AuthorizePayment(request)).payment
    shouted = requests.authorize()
    shouted.CopyFrom(request)
    shouted.request_id = request.request_id.upper()
    other = requests.authorize(request_id=request.request_id)

    assert (await grpc_stub.AuthorizePayment(shouted)).payment == payment
    await refused(grpc_stub.AuthorizePayment(other), Code.INVALID_ARGUMENT, "REQUEST_ID_REUSED")


async def test_a_tombstone_holds_its_request_id_for_its_order(
    grpc_stub: PaymentServiceAsyncStub,
) -> None:
    """An authorize of another order under the fenced id was never meant."""
    late = requests.authorize()
    await grpc_stub.VoidPayment(requests.void_unseen(late.request_id, late.order_id))
    other = requests.authorize(request_id=late.request_id)

    await refused(grpc_stub.AuthorizePayment(other), Code.INVALID_ARGUMENT, "REQUEST_ID_REUSED")


async def test_all_bad_fields_are_named_at_once(grpc_stub: PaymentServiceAsyncStub) -> None:
    """An empty request is wrong in everything that is required."""
    bad = rpc.AuthorizePaymentRequest()
    fields = {"request_id", "order_id", "customer_id", "amount", "payment_method", "expire_after"}

    await refused(grpc_stub.AuthorizePayment(bad), Code.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert await bad_fields(grpc_stub.AuthorizePayment(bad)) == fields


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("request_id", "me", "request_id"),
        ("order_id", f"ord_{uuid.uuid4()}", "order_id"),
        ("customer_id", "Ann Smith", "customer_id"),
        ("customer_id", "x" * 65, "customer_id"),
        ("payment_method", "pm\x00visa", "payment_method"),
        ("amount", Money(currency_code="usd", minor_units=1), "amount.currency_code"),
        ("amount", Money(currency_code="USD", minor_units=0), "amount.minor_units"),
        ("amount", Money(currency_code="USD", minor_units=-5), "amount.minor_units"),
        ("expire_after", Duration(seconds=59), "expire_after"),
        ("expire_after", Duration(seconds=31 * 24 * 3600), "expire_after"),
    ],
)
async def test_a_bad_field_is_named(
    grpc_stub: PaymentServiceAsyncStub, field: str, value: object, named: str
) -> None:
    """And nothing is written: the order can still be paid."""
    good = requests.authorize()
    bad = rpc.AuthorizePaymentRequest()
    bad.CopyFrom(good)
    if isinstance(value, str):
        setattr(bad, field, value)
    else:
        getattr(bad, field).CopyFrom(value)

    assert await bad_fields(grpc_stub.AuthorizePayment(bad)) == {named}
    await grpc_stub.AuthorizePayment(good)


async def test_requests_of_the_other_methods_are_checked_too(
    grpc_stub: PaymentServiceAsyncStub,
) -> None:
    """Each names what is bad about it."""
    void = rpc.VoidPaymentRequest(request_id=requests.new_request_id())
    unseen = requests.void_unseen(requests.new_request_id(), "")
    verbose = requests.void(requests.new_payment_id())
    verbose.reason = "x" * 201
    nothing_back = requests.refund(requests.new_payment_id(), 0)
    payments = rpc.ListPaymentsRequest(order_id="ord", states=[0, 99])  # type: ignore[list-item]
    cases: list[tuple[Awaitable[object], set[str]]] = [
        (grpc_stub.CapturePayment(rpc.CapturePaymentRequest()), {"request_id", "payment_id"}),
        (grpc_stub.VoidPayment(void), {"payment_id"}),
        (grpc_stub.VoidPayment(unseen), {"order_id"}),
        (grpc_stub.VoidPayment(verbose), {"reason"}),
        (grpc_stub.RefundPayment(nothing_back), {"amount.minor_units"}),
        (grpc_stub.GetPayment(rpc.GetPaymentRequest()), {"payment_id"}),
        (grpc_stub.ListPayments(payments), {"order_id", "states[0]", "states[1]"}),
        (grpc_stub.ListPayments(rpc.ListPaymentsRequest(page_token="?")), {"page_token"}),
        (grpc_stub.ListPayments(rpc.ListPaymentsRequest(page_size=-1)), {"page_size"}),
        (
            grpc_stub.ListLedgerEntries(rpc.ListLedgerEntriesRequest(payment_id="pay_1")),
            {"payment_id"},
        ),
    ]
    for call, fields in cases:
        assert await bad_fields(call) == fields


async def test_a_page_token_belongs_to_its_list(grpc_stub: PaymentServiceAsyncStub) -> None:
    """A token of one list is no token of another."""
    for _ in range(2):
        await grpc_stub.AuthorizePayment(requests.authorize())
    page = await grpc_stub.ListPayments(rpc.ListPaymentsRequest(page_size=1))
    stolen = rpc.ListLedgerEntriesRequest(page_token=page.next_page_token)

    assert await bad_fields(grpc_stub.ListLedgerEntries(stolen)) == {"page_token"}
