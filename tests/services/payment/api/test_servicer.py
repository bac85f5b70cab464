"""Every RPC of the payment service, over gRPC and on a real database."""

import asyncio
from contextlib import suppress

import grpc
import pytest
from tradepost.payment.testing.v1 import simulated_processor_pb2 as book
from tradepost.payment.testing.v1 import simulated_processor_service_pb2 as book_service
from tradepost.payment.testing.v1.simulated_processor_service_pb2_grpc import (
    SimulatedProcessorServiceStub,
)
from tradepost.payment.v1 import ledger_pb2
from tradepost.payment.v1 import payment_pb2 as pb
from tradepost.payment.v1 import payment_service_pb2 as rpc
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceAsyncStub

from tests.support.limits import WAIT_S
from tests.support.payment import payment_requests
from tests.support.payment.payment_requests import usd

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def paid(stub: PaymentServiceAsyncStub, payment_method: str = "pm_visa") -> pb.Payment:
    """A payment of 19.99 USD that was captured."""
    authorized = await stub.AuthorizePayment(payment_requests.authorize(payment_method))
    captured = await stub.CapturePayment(payment_requests.capture(authorized.payment.payment_id))
    return captured.payment


async def test_money_is_set_aside_taken_and_given_back(grpc_stub: PaymentServiceAsyncStub) -> None:
    """A payment can be authorized, captured and refunded."""
    request = payment_requests.authorize()
    authorized = (await grpc_stub.AuthorizePayment(request)).payment
    captured = await grpc_stub.CapturePayment(payment_requests.capture(authorized.payment_id))
    refunded = await grpc_stub.RefundPayment(payment_requests.refund(authorized.payment_id))

    assert authorized.state == pb.PAYMENT_STATE_AUTHORIZED
    assert authorized.order_id == request.order_id
    assert authorized.authorize_request_id == request.request_id
    lifetime_s = authorized.authorize_expire_time.seconds - authorized.create_time.seconds
    assert abs(lifetime_s - payment_requests.WEEK_S) < 60
    assert captured.payment.state == pb.PAYMENT_STATE_CAPTURED
    assert captured.payment.captured_amount == usd(1999)
    assert captured.capture.state == pb.CAPTURE_STATE_CAPTURED
    assert refunded.refund.state == pb.REFUND_STATE_SUCCEEDED
    assert refunded.payment.refunded_amount == usd(1999)


async def test_partial_refunds_add_up(grpc_stub: PaymentServiceAsyncStub) -> None:
    """Two partial refunds and one without an amount refund the whole payment."""
    payment = await paid(grpc_stub)
    for part in (1000, 500, None):
        answer = await grpc_stub.RefundPayment(payment_requests.refund(payment.payment_id, part))

    assert [each.amount.minor_units for each in answer.payment.refunds] == [1000, 500, 499]
    assert answer.payment.refunded_amount == usd(1999)


@pytest.mark.parametrize(
    ("payment_method", "code"),
    [
        ("pm_insufficient_funds", pb.DECLINE_CODE_INSUFFICIENT_FUNDS),
        ("pm_expired_card", pb.DECLINE_CODE_EXPIRED_CARD),
        ("pm_lost_card", pb.DECLINE_CODE_LOST_OR_STOLEN),
        ("pm_fraud", pb.DECLINE_CODE_SUSPECTED_FRAUD),
        ("pm_do_not_honor", pb.DECLINE_CODE_DO_NOT_HONOR),
        ("pm_nobody_knows", pb.DECLINE_CODE_UNKNOWN_METHOD),
    ],
)
async def test_a_decline_is_an_answer(
    grpc_stub: PaymentServiceAsyncStub, payment_method: str, code: pb.DeclineCode
) -> None:
    """A decline has the status OK and the processor's code; the order may try another method."""
    request = payment_requests.authorize(payment_method)
    declined = (await grpc_stub.AuthorizePayment(request)).payment
    other = payment_requests.authorize(order_id=request.order_id)
    approved = (await grpc_stub.AuthorizePayment(other)).payment

    assert declined.state == pb.PAYMENT_STATE_DECLINED
    assert declined.decline_code == code
    assert declined.refusal.reason == pb.PAYMENT_REFUSAL_REASON_PAYMENT_DECLINED
    assert approved.state == pb.PAYMENT_STATE_AUTHORIZED


@pytest.mark.parametrize("payment_method", ["pm_unavailable_before", "pm_unavailable_after"])
async def test_an_unavailable_processor_only_delays(
    grpc_stub: PaymentServiceAsyncStub, payment_method: str
) -> None:
    """The driver repeats each kind of call under its key until the outcome is known."""
    payment = await paid(grpc_stub, payment_method)
    refunded = await grpc_stub.RefundPayment(payment_requests.refund(payment.payment_id))
    authorized = (
        await grpc_stub.AuthorizePayment(payment_requests.authorize(payment_method))
    ).payment
    voided = await grpc_stub.VoidPayment(payment_requests.void(authorized.payment_id))

    assert payment.state == pb.PAYMENT_STATE_CAPTURED
    assert refunded.refund.state == pb.REFUND_STATE_SUCCEEDED
    assert voided.payment.state == pb.PAYMENT_STATE_VOIDED


async def test_an_answer_comes_before_the_callers_deadline(
    grpc_stub: PaymentServiceAsyncStub,
) -> None:
    """A pending payment is an answer; a repeated request waits for the same outcome."""
    early = None
    async with asyncio.timeout(WAIT_S):
        while early is None:
            request = payment_requests.authorize("pm_slow")
            # It is answered a tenth of a second before its deadline: a busy machine may be late.
            with suppress(grpc.aio.AioRpcError):
                early = await grpc_stub.AuthorizePayment(request, timeout=1)
    late = await grpc_stub.AuthorizePayment(request, timeout=60)

    assert early.payment.state == pb.PAYMENT_STATE_AUTHORIZING
    assert late.payment.state == pb.PAYMENT_STATE_AUTHORIZED
    assert late.payment.payment_id == early.payment.payment_id


async def test_a_repetition_says_that_it_is_one(grpc_stub: PaymentServiceAsyncStub) -> None:
    """A repeated request gets the current payment, marked as replayed in the trailing metadata."""
    payment = await paid(grpc_stub)
    calls = (
        (grpc_stub.AuthorizePayment, payment_requests.authorize()),
        (grpc_stub.RefundPayment, payment_requests.refund(payment.payment_id, 1)),
        (
            grpc_stub.VoidPayment,
            payment_requests.void_unseen(payment_requests.new_request_id(), "ord_" + 32 * "a"),
        ),
    )
    for method, request in calls:
        first, again = method(request), method(request)
        answer = await first
        assert await again == answer
        trailers = [dict(await call.trailing_metadata()) for call in (first, again)]
        replayed = [trailer.get("tradepost-replayed") for trailer in trailers]
        assert sorted(replayed, key=str) == [None, "true"]


async def test_a_void_lets_the_money_go(grpc_stub: PaymentServiceAsyncStub) -> None:
    """A void names the payment or the authorize's request_id; then the order can be paid again."""
    request = payment_requests.authorize()
    payment = (await grpc_stub.AuthorizePayment(request)).payment
    voided = await grpc_stub.VoidPayment(
        payment_requests.void_unseen(request.request_id, request.order_id)
    )
    again = await grpc_stub.VoidPayment(payment_requests.void(payment.payment_id))
    anew = await grpc_stub.AuthorizePayment(payment_requests.authorize(order_id=request.order_id))

    assert voided.payment.state == pb.PAYMENT_STATE_VOIDED
    assert again.payment == voided.payment
    assert anew.payment.state == pb.PAYMENT_STATE_AUTHORIZED


async def test_a_tombstone_refuses_the_late_authorize(grpc_stub: PaymentServiceAsyncStub) -> None:
    """An authorize after its void always answers VOIDED with the reason AUTHORIZATION_FENCED."""
    late = payment_requests.authorize()
    tombstone = await grpc_stub.VoidPayment(
        payment_requests.void_unseen(late.request_id, late.order_id)
    )
    refused = await grpc_stub.AuthorizePayment(late)

    assert tombstone.payment.state == pb.PAYMENT_STATE_VOIDED
    assert refused.payment.refusal.reason == pb.PAYMENT_REFUSAL_REASON_AUTHORIZATION_FENCED
    assert not refused.payment.HasField("amount")


async def test_a_capture_can_be_refused_and_the_money_stays_set_aside(
    grpc_stub: PaymentServiceAsyncStub,
) -> None:
    """NOT_CAPTURED is final for its request_id, and the payment is AUTHORIZED again."""
    request = payment_requests.authorize("pm_capture_declined")
    payment = (await grpc_stub.AuthorizePayment(request)).payment
    capture = payment_requests.capture(payment.payment_id)
    answer = await grpc_stub.CapturePayment(capture)
    again = await grpc_stub.CapturePayment(capture)

    assert answer.payment.state == pb.PAYMENT_STATE_AUTHORIZED
    assert answer.capture.state == pb.CAPTURE_STATE_NOT_CAPTURED
    assert answer.capture.refusal.reason == pb.PAYMENT_REFUSAL_REASON_NOT_CAPTURED
    assert dict(answer.capture.refusal.facts) == {"processor_code": "capture_declined"}
    assert again == answer


async def test_a_capture_of_a_declined_payment_is_a_stored_refusal(
    grpc_stub: PaymentServiceAsyncStub,
) -> None:
    """A capture of a declined payment is refused with a stored answer."""
    payment = (await grpc_stub.AuthorizePayment(payment_requests.authorize("pm_fraud"))).payment
    answer = await grpc_stub.CapturePayment(payment_requests.capture(payment.payment_id))

    assert answer.payment.state == pb.PAYMENT_STATE_DECLINED
    assert answer.capture.refusal.reason == pb.PAYMENT_REFUSAL_REASON_NOT_AUTHORIZED


async def test_a_payment_is_read_as_it_was_answered(grpc_stub: PaymentServiceAsyncStub) -> None:
    """GetPayment returns what the last call returned."""
    payment = await paid(grpc_stub)
    read = await grpc_stub.GetPayment(rpc.GetPaymentRequest(payment_id=payment.payment_id))

    assert read.payment == payment


async def test_payments_are_listed_by_order_and_state(grpc_stub: PaymentServiceAsyncStub) -> None:
    """Pages list the oldest first and each payment once, even if others are added meanwhile."""
    order_id = payment_requests.new_order_id()
    for payment_method in ("pm_fraud", "pm_lost_card", "pm_visa"):
        await grpc_stub.AuthorizePayment(
            payment_requests.authorize(payment_method, order_id=order_id)
        )
    listed = await grpc_stub.ListPayments(rpc.ListPaymentsRequest(order_id=order_id))
    request = rpc.ListPaymentsRequest(
        order_id=order_id, states=[pb.PAYMENT_STATE_DECLINED], page_size=1
    )
    first = await grpc_stub.ListPayments(request)
    await grpc_stub.AuthorizePayment(payment_requests.authorize())
    request.page_token = first.next_page_token
    second = await grpc_stub.ListPayments(request)

    declined, lost, visa = listed.payments
    assert visa.state == pb.PAYMENT_STATE_AUTHORIZED
    assert [*first.payments, *second.payments] == [declined, lost]
    assert second.next_page_token == ""


async def test_the_ledger_balances_and_agrees_with_the_processor(
    grpc_stub: PaymentServiceAsyncStub, grpc_channel: grpc.aio.Channel
) -> None:
    """Debits equal credits, and postings agree with what the processor captured and refunded."""
    payments = await asyncio.gather(*(paid(grpc_stub) for _ in range(5)))
    await grpc_stub.RefundPayment(payment_requests.refund(payments[0].payment_id, 700))
    authorized = (await grpc_stub.AuthorizePayment(payment_requests.authorize())).payment
    await grpc_stub.VoidPayment(payment_requests.void(authorized.payment_id))
    entries = await all_entries(grpc_stub)
    processed = await all_processor_entries(grpc_channel)

    def debits(kind: ledger_pb2.LedgerPostingKind) -> int:
        return sum(
            entry.amount.minor_units
            for entry in entries
            if entry.kind == kind and entry.side == ledger_pb2.LEDGER_SIDE_DEBIT
        )

    def done(kind: book.ProcessorEntryKind) -> int:
        return sum(entry.amount.minor_units for entry in processed if entry.kind == kind)

    signs = {ledger_pb2.LEDGER_SIDE_DEBIT: 1, ledger_pb2.LEDGER_SIDE_CREDIT: -1}
    assert sum(signs[entry.side] * entry.amount.minor_units for entry in entries) == 0
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    for ours, theirs in (
        (ledger_pb2.LEDGER_POSTING_KIND_AUTHORIZED, book.PROCESSOR_ENTRY_KIND_AUTHORIZED),
        (ledger_pb2.LEDGER_POSTING_KIND_CAPTURED, book.PROCESSOR_ENTRY_KIND_CAPTURED),
        (ledger_pb2.LEDGER_POSTING_KIND_REFUNDED, book.PROCESSOR_ENTRY_KIND_REFUNDED),
    ):
        assert debits(ours) == done(theirs)
    of_first = await grpc_stub.ListLedgerEntries(
        rpc.ListLedgerEntriesRequest(payment_id=payments[0].payment_id)
    )
    assert len(of_first.entries) == 8


async def all_entries(stub: PaymentServiceAsyncStub) -> list[ledger_pb2.LedgerEntry]:
    """The whole ledger, in pages of seven."""
    request = rpc.ListLedgerEntriesRequest(page_size=7)
    entries: list[ledger_pb2.LedgerEntry] = []
    while True:
        page = await stub.ListLedgerEntries(request)
        entries += page.entries
        if not page.next_page_token:
            return entries
        request.page_token = page.next_page_token


async def all_processor_entries(channel: grpc.aio.Channel) -> list[book.ProcessorEntry]:
    """All entries of the processor, in pages of nine."""
    stub = SimulatedProcessorServiceStub(channel)
    request = book_service.ListProcessorEntriesRequest(page_size=9)
    entries: list[book.ProcessorEntry] = []
    while True:
        page = await stub.ListProcessorEntries(request)
        entries += page.entries
        if not page.more:
            return entries
        request.after_sequence = entries[-1].sequence
