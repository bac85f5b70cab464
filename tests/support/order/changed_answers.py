"""Answers of participants, changed as a failure script says."""

from typing import Any, TypeVar

from google.protobuf.message import Message
from tradepost.payment.v1 import payment_pb2 as pay
from tradepost.payment.v1 import payment_service_pb2 as payment_rpc

M = TypeVar("M", bound=Message)

# A number that no enum of this version has.
NEWER_STATE = 99


def pending(response: M) -> M:
    """Change an answer to that of a participant that does not know the outcome yet."""
    answer = type(response)()
    answer.CopyFrom(response)
    match answer:
        case payment_rpc.AuthorizePaymentResponse():
            answer.payment.state = pay.PAYMENT_STATE_AUTHORIZING
        case payment_rpc.CapturePaymentResponse():
            answer.payment.state = pay.PAYMENT_STATE_CAPTURING
            answer.capture.state = pay.CAPTURE_STATE_PENDING
        case payment_rpc.VoidPaymentResponse():
            answer.payment.state = pay.PAYMENT_STATE_VOIDING
        case payment_rpc.RefundPaymentResponse():
            answer.refund.state = pay.REFUND_STATE_PENDING
    return answer


def newer(response: M) -> M:
    """Change an answer to one in a state of a newer contract, through the wire."""
    answer: Any = type(response).FromString(response.SerializeToString())
    for field in ("payment", "capture", "refund", "reservation"):
        if field in answer.DESCRIPTOR.fields_by_name:
            getattr(answer, field).state = NEWER_STATE
    if isinstance(answer, payment_rpc.RefundPaymentResponse):
        answer.payment.refunded_amount.minor_units = 0
    return type(response).FromString(answer.SerializeToString())
