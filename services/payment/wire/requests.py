"""Validates requests that change something, and converts them to commands.

All bad fields of a request are reported at once. The result is an `Intention`: the command, with
what identifies a repetition of the request.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from tradepost.payment.v1 import payment_service_pb2 as pb

from services.chassis.identity import caller
from services.chassis.request.intention import Intention
from services.chassis.request.request_ids import fingerprint, own_id
from services.chassis.request.validation import Check
from services.chassis.request.wire_values import from_money
from services.payment.domain import commands

MIN_EXPIRE_AFTER = timedelta(minutes=1)
MAX_EXPIRE_AFTER = timedelta(days=30)

# Makes an id with the given prefix.
NewId = Callable[[str], str]

C_co = TypeVar("C_co", bound=commands.Request, covariant=True)


def authorize_payment(
    request: pb.AuthorizePaymentRequest, new_id: NewId
) -> Intention[commands.Authorize]:
    """Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    check.identifier("order_id", request.order_id, "ord")
    check.visible_text("customer_id", request.customer_id)
    check.money("amount", request.amount, present=request.HasField("amount"), minimum=1)
    check.visible_text("payment_method", request.payment_method)
    expire_after = check.duration(
        "expire_after",
        request.expire_after,
        present=request.HasField("expire_after"),
        minimum=MIN_EXPIRE_AFTER,
        maximum=MAX_EXPIRE_AFTER,
        required=True,
    )
    deadline = check.timestamp(
        "order_deadline_time",
        request.order_deadline_time,
        present=request.HasField("order_deadline_time"),
    )
    check.done()
    command = commands.Authorize(
        request_id=own_id(request_id),
        payment_id=new_id("pay"),
        order_id=request.order_id,
        customer_id=request.customer_id,
        amount=from_money(request.amount),
        payment_method=request.payment_method,
        expire_after=expire_after or MIN_EXPIRE_AFTER,
        order_deadline_time=deadline,
    )
    return Intention("AuthorizePayment", request_id, fingerprint(request), command)


def capture_payment(request: pb.CapturePaymentRequest) -> Intention[commands.Capture]:
    """Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    check.identifier("payment_id", request.payment_id, "pay")
    check.done()
    command = commands.Capture(request_id=own_id(request_id), payment_id=request.payment_id)
    return Intention("CapturePayment", request_id, fingerprint(request), command)


def void_payment(request: pb.VoidPaymentRequest, new_id: NewId) -> Intention[commands.Void]:
    """Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    authorize_request_id = ""
    match request.WhichOneof("authorization"):
        case "payment_id":
            check.identifier("payment_id", request.payment_id, "pay")
        case "authorize_request_id":
            authorize_request_id = check.uuid("authorize_request_id", request.authorize_request_id)
        case _:
            check.violation("payment_id", "is required, or authorize_request_id")
    if request.order_id or authorize_request_id:
        check.identifier("order_id", request.order_id, "ord")
    check.reason(request.reason)
    check.done()
    command = commands.Void(
        request_id=own_id(request_id),
        payment_id=request.payment_id or new_id("pay"),
        reason=request.reason,
        authorize_request_id=authorize_request_id,
        order_id=request.order_id,
    )
    normalized = pb.VoidPaymentRequest()
    normalized.CopyFrom(request)
    if authorize_request_id:
        normalized.authorize_request_id = authorize_request_id
    return Intention("VoidPayment", request_id, fingerprint(normalized), command)


def refund_payment(
    request: pb.RefundPaymentRequest, new_id: NewId
) -> Intention[commands.Refund | commands.SettleRefund]:
    """Raises InvalidRequestError."""
    check = Check()
    request_id = check.uuid("request_id", request.request_id)
    check.identifier("payment_id", request.payment_id, "pay")
    if request.HasField("amount"):
        check.money("amount", request.amount, present=True, minimum=1)
    settled_id = request.refused_refund_id
    if settled_id:
        check.identifier("refused_refund_id", settled_id, "ref")
    settles = bool(settled_id) and check.is_good("refused_refund_id")
    both = settles and request.HasField("amount")
    check.that(not both, "amount", "must not be set together with refused_refund_id")
    reason = check.reason(request.reason, required=settles)
    check.done()
    requester = caller.current().actor
    command: commands.Refund | commands.SettleRefund
    if settled_id:
        command = commands.SettleRefund(
            own_id(request_id), request.payment_id, settled_id, requester, reason
        )
    else:
        command = commands.Refund(
            request_id=own_id(request_id),
            payment_id=request.payment_id,
            refund_id=new_id("ref"),
            amount=from_money(request.amount) if request.HasField("amount") else None,
            requester=requester,
            reason=reason,
        )
    return Intention("RefundPayment", request_id, fingerprint(request), command)
