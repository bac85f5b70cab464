"""Every RPC of payments, as an application calls it: over real gRPC, on real files."""

import pytest
from tradepost.payment.v1 import payment_pb2
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceAsyncStub

from tests.payment import requests

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_money_is_set_aside_taken_and_given_back(grpc_stub: PaymentServiceAsyncStub) -> None:
    """The whole way of a payment that is returned in the end."""
    authorized = (await grpc_stub.AuthorizePayment(requests.authorize())).payment
    captured = await grpc_stub.CapturePayment(requests.capture(authorized.payment_id))
    refunded = await grpc_stub.RefundPayment(requests.refund(authorized.payment_id))

    assert authorized.state == payment_pb2.PAYMENT_STATE_AUTHORIZED
    assert captured.payment.state == payment_pb2.PAYMENT_STATE_CAPTURED
    assert captured.capture.state == payment_pb2.CAPTURE_STATE_CAPTURED
    assert refunded.refund.state == payment_pb2.REFUND_STATE_SUCCEEDED
    assert refunded.payment.refunded_amount == requests.usd(1999)
