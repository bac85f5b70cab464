"""The feed of the payment service."""

import grpc
import pytest
from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub
from tradepost.payment.v1 import payment_event_pb2
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceAsyncStub

from tests.support.payment import payment_requests

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_becomes_of_money_is_reported(
    grpc_stub: PaymentServiceAsyncStub, grpc_channel: grpc.aio.Channel
) -> None:
    """The feed has each event of a payment, as the message of the contract."""
    payment = (await grpc_stub.AuthorizePayment(payment_requests.authorize())).payment
    await grpc_stub.CapturePayment(payment_requests.capture(payment.payment_id))

    feed = EventFeedServiceStub(grpc_channel)
    page = await feed.ReadEvents(pb.ReadEventsRequest(aggregate_id=payment.payment_id))

    assert {(event.feed, event.aggregate_type) for event in page.events} == {("payment", "payment")}
    assert [event.type.rpartition(".")[2] for event in page.events] == [
        "AuthorizationRequested",
        "PaymentAuthorized",
        "CaptureStarted",
        "PaymentCaptured",
    ]
    requested = payment_event_pb2.AuthorizationRequested()
    assert page.events[0].payload.Unpack(requested)
    assert requested.order_id == payment.order_id
