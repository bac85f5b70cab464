"""Bad requests are refused with all bad fields at once."""

from collections.abc import Awaitable

import pytest
from google.protobuf.duration_pb2 import Duration
from tradepost.payment.v1 import payment_service_pb2 as rpc
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceAsyncStub
from tradepost.type.v1.money_pb2 import Money

from tests.support.chassis.rich_status import refusal
from tests.support.payment import payment_requests

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def bad_fields(call: Awaitable[object]) -> set[str]:
    """The bad fields of a refusal."""
    refused = await refusal(call)
    assert refused.reason == "INVALID_REQUEST"
    return set(refused.bad_fields)


async def test_all_bad_fields_are_named_at_once(grpc_stub: PaymentServiceAsyncStub) -> None:
    """An empty request is refused with all its required fields."""
    bad = rpc.AuthorizePaymentRequest()
    fields = {"request_id", "order_id", "customer_id", "amount", "payment_method", "expire_after"}

    assert await bad_fields(grpc_stub.AuthorizePayment(bad)) == fields


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("request_id", "me", "request_id"),
        ("order_id", f"ord_{payment_requests.new_uuid()}", "order_id"),
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
    """A bad field is named and nothing is written, so the order can still be paid."""
    good = payment_requests.authorize()
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
    """The other methods name their bad fields, too."""
    void = rpc.VoidPaymentRequest(request_id=payment_requests.new_request_id())
    unseen = payment_requests.void_unseen(payment_requests.new_request_id(), "")
    verbose = payment_requests.void(payment_requests.new_payment_id())
    verbose.reason = "x" * 501
    nothing_back = payment_requests.refund(payment_requests.new_payment_id(), 0)
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
    """A page token of one list is refused by another list."""
    for _ in range(2):
        await grpc_stub.AuthorizePayment(payment_requests.authorize())
    page = await grpc_stub.ListPayments(rpc.ListPaymentsRequest(page_size=1))
    stolen = rpc.ListLedgerEntriesRequest(page_token=page.next_page_token)

    assert await bad_fields(grpc_stub.ListLedgerEntries(stolen)) == {"page_token"}
