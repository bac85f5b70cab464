"""Refunds that the processor refuses for good, over gRPC and on a real database."""

import pytest
from tradepost.payment.v1 import payment_pb2 as pb
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceAsyncStub

from tests.support.chassis.rich_status import refusal
from tests.support.payment import payment_requests
from tests.support.payment.payment_requests import usd

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def paid(stub: PaymentServiceAsyncStub) -> pb.Payment:
    """A payment of 19.99 USD that was captured, and whose refunds will be refused."""
    request = payment_requests.authorize("pm_refund_declined")
    authorized = await stub.AuthorizePayment(request)
    captured = await stub.CapturePayment(payment_requests.capture(authorized.payment.payment_id))
    return captured.payment


async def test_a_refused_refund_is_a_stored_refusal(grpc_stub: PaymentServiceAsyncStub) -> None:
    """A refused refund is FAILED, and another refund may be requested."""
    payment = await paid(grpc_stub)
    answer = await grpc_stub.RefundPayment(payment_requests.refund(payment.payment_id))

    assert answer.refund.state == pb.REFUND_STATE_FAILED
    assert answer.refund.refusal.reason == pb.PAYMENT_REFUSAL_REASON_REFUND_REFUSED
    assert answer.payment.refunded_amount == usd(0)


async def test_a_refused_refund_may_be_paid_outside(grpc_stub: PaymentServiceAsyncStub) -> None:
    """It is recorded once, without the processor, and without a reason it isn't."""
    payment = await paid(grpc_stub)
    asked = await grpc_stub.RefundPayment(payment_requests.refund(payment.payment_id))
    request = payment_requests.refund(payment.payment_id)
    request.refused_refund_id = asked.refund.refund_id

    refused = await refusal(grpc_stub.RefundPayment(request))
    request.reason = "bank transfer 4711"
    recorded = await grpc_stub.RefundPayment(request)
    repeated = grpc_stub.RefundPayment(request)

    assert set(refused.bad_fields) == {"reason"}
    assert await repeated == recorded
    assert ("tradepost-replayed", "true") in list(await repeated.trailing_metadata())
    assert (recorded.refund.refund_id, recorded.refund.state) == (
        asked.refund.refund_id,
        pb.REFUND_STATE_SUCCEEDED,
    )
    assert recorded.payment.refunded_amount == usd(1999)
