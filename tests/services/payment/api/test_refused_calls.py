"""An error states the facts and stores nothing."""

from collections.abc import Awaitable

import grpc
import pytest
from tradepost.payment.v1 import payment_service_pb2 as rpc
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceAsyncStub

from tests.support.chassis.rich_status import Refusal, refusal
from tests.support.payment import payment_requests

pytestmark = pytest.mark.asyncio(loop_scope="module")

Code = grpc.StatusCode


async def refused(call: Awaitable[object], code: grpc.StatusCode, reason: str) -> Refusal:
    """The refusal of a call, which must have this code and reason."""
    error = await refusal(call)
    assert (error.code, error.reason) == (code, reason)
    return error


async def test_an_unknown_payment_is_not_found(grpc_stub: PaymentServiceAsyncStub) -> None:
    """Every method that names an unknown payment answers NOT_FOUND."""
    unknown = payment_requests.new_payment_id()
    for call in (
        grpc_stub.GetPayment(rpc.GetPaymentRequest(payment_id=unknown)),
        grpc_stub.CapturePayment(payment_requests.capture(unknown)),
        grpc_stub.VoidPayment(payment_requests.void(unknown)),
        grpc_stub.RefundPayment(payment_requests.refund(unknown)),
    ):
        error = await refused(call, Code.NOT_FOUND, "PAYMENT_NOT_FOUND")
        assert error.facts == {"payment_id": unknown}


async def test_an_authorization_of_another_order_is_not_found(
    grpc_stub: PaymentServiceAsyncStub,
) -> None:
    """A void that names another order does not find the payment."""
    request = payment_requests.authorize()
    payment = (await grpc_stub.AuthorizePayment(request)).payment
    by_payment = payment_requests.void(payment.payment_id)
    by_payment.order_id = payment_requests.new_order_id()
    by_request = payment_requests.void_unseen(request.request_id, payment_requests.new_order_id())
    for void in (by_payment, by_request):
        await refused(grpc_stub.VoidPayment(void), Code.NOT_FOUND, "PAYMENT_NOT_FOUND")


async def test_a_state_can_stand_in_the_way(grpc_stub: PaymentServiceAsyncStub) -> None:
    """The error names the state. Nothing is stored, so the same request can succeed later."""
    payment = (await grpc_stub.AuthorizePayment(payment_requests.authorize())).payment
    refund = payment_requests.refund(payment.payment_id)
    conflict = (Code.FAILED_PRECONDITION, "PAYMENT_STATE_CONFLICT")
    error = await refused(grpc_stub.RefundPayment(refund), *conflict)
    await grpc_stub.CapturePayment(payment_requests.capture(payment.payment_id))

    assert error.facts == {"payment_id": payment.payment_id, "state": "AUTHORIZED"}
    await refused(grpc_stub.VoidPayment(payment_requests.void(payment.payment_id)), *conflict)
    await refused(grpc_stub.CapturePayment(payment_requests.capture(payment.payment_id)), *conflict)
    assert (await grpc_stub.RefundPayment(refund)).payment.refunded_amount.minor_units == 1999


async def test_an_order_has_one_live_payment(grpc_stub: PaymentServiceAsyncStub) -> None:
    """A second payment of an order is refused; the error names the first."""
    request = payment_requests.authorize()
    payment = (await grpc_stub.AuthorizePayment(request)).payment
    second = payment_requests.authorize(order_id=request.order_id)
    error = await refused(
        grpc_stub.AuthorizePayment(second),
        Code.ALREADY_EXISTS,
        "PAYMENT_ALREADY_EXISTS",
    )

    assert error.facts["payment_id"] == payment.payment_id


async def test_no_more_goes_back_than_was_taken(grpc_stub: PaymentServiceAsyncStub) -> None:
    """The facts of the refusal are the requested and the refundable amount."""
    payment = (await grpc_stub.AuthorizePayment(payment_requests.authorize())).payment
    await grpc_stub.CapturePayment(payment_requests.capture(payment.payment_id))
    error = await refused(
        grpc_stub.RefundPayment(payment_requests.refund(payment.payment_id, 2000)),
        Code.FAILED_PRECONDITION,
        "AMOUNT_EXCEEDS_REFUNDABLE",
    )

    assert error.facts["requested"] == "2000"
    assert error.facts["refundable"] == "1999"
    euros = payment_requests.refund(payment.payment_id, 1, currency="EUR")
    await refused(grpc_stub.RefundPayment(euros), Code.INVALID_ARGUMENT, "CURRENCY_MISMATCH")


async def test_a_request_id_means_one_request(grpc_stub: PaymentServiceAsyncStub) -> None:
    """A used request_id with another request is refused; its spelling does not matter."""
    request = payment_requests.authorize()
    payment = (await grpc_stub.AuthorizePayment(request)).payment
    shouted = payment_requests.authorize()
    shouted.CopyFrom(request)
    shouted.request_id = request.request_id.upper()
    other = payment_requests.authorize(request_id=request.request_id)

    assert (await grpc_stub.AuthorizePayment(shouted)).payment == payment
    await refused(grpc_stub.AuthorizePayment(other), Code.INVALID_ARGUMENT, "REQUEST_ID_REUSED")


async def test_a_tombstone_holds_its_request_id_for_its_order(
    grpc_stub: PaymentServiceAsyncStub,
) -> None:
    """An authorize of another order under a fenced request_id is refused."""
    late = payment_requests.authorize()
    await grpc_stub.VoidPayment(payment_requests.void_unseen(late.request_id, late.order_id))
    other = payment_requests.authorize(request_id=late.request_id)

    await refused(grpc_stub.AuthorizePayment(other), Code.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
