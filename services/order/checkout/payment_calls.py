"""Calls payment for the steps of the checkout, and converts its answers to commands.

A request is built from stored events alone, so a repeated request has the same bytes. A final
answer is a command, `Pending` means that payment does not know the outcome yet, and an answer that
contradicts the step is a `Contradiction`.
"""

from collections.abc import Mapping
from typing import Any

from tradepost.payment.v1 import payment_service_pb2 as rpc
from tradepost.payment.v1.payment_pb2 import (
    CaptureState,
    Payment,
    PaymentRefusal,
    PaymentRefusalReason,
    PaymentState,
    RefundState,
)
from tradepost.payment.v1.payment_service_pb2_grpc import PaymentServiceAsyncStub

from services.chassis.request.wire_values import (
    from_money,
    from_timestamp,
    to_duration,
    to_money,
    to_timestamp,
)
from services.chassis.saga.model import Contradiction, Done, Pending, StepCall, step_id
from services.order.domain import commands
from services.order.domain.events import Refusal, RefusalReason
from services.order.domain.state import Order
from services.order.domain.steps import AUTHORIZE, PAYMENT, VOID

# These answers take as long as the processor or a lock takes: their latency does not show whether
# an instance is slow.
PAYMENT_SERVICE_CONFIG: Mapping[str, Any] = {
    "methodConfig": [
        {
            "name": [
                {"service": "tradepost.payment.v1.PaymentService", "method": method}
                for method in ("AuthorizePayment", "CapturePayment", "VoidPayment", "RefundPayment")
            ],
            "waits": True,
        }
    ]
}

_REASON_PREFIX = "PAYMENT_REFUSAL_REASON_"
_STATE_PREFIX = "PAYMENT_STATE_"

# Nothing is set aside and nothing ever will be: with these answers an order can end.
_ENDED = frozenset(
    {
        PaymentState.PAYMENT_STATE_DECLINED,
        PaymentState.PAYMENT_STATE_VOIDED,
        PaymentState.PAYMENT_STATE_EXPIRED,
    }
)
# The outcome of a call is still open.
_UNDECIDED = frozenset(
    {
        PaymentState.PAYMENT_STATE_AUTHORIZING,
        PaymentState.PAYMENT_STATE_AUTHORIZED,
        PaymentState.PAYMENT_STATE_CAPTURING,
        PaymentState.PAYMENT_STATE_VOIDING,
    }
)


class PaymentCalls:
    """One method for each step; each raises grpc.aio.AioRpcError."""

    def __init__(self, stub: PaymentServiceAsyncStub) -> None:
        self._stub = stub

    async def authorize(
        self, order: Order, call: StepCall
    ) -> commands.Authorized | commands.StepRefused | Pending | Contradiction:
        """Set the total of the order aside."""
        request = rpc.AuthorizePaymentRequest(
            request_id=call.step_id,
            order_id=order.order_id,
            customer_id=order.customer_id,
            amount=None if order.total is None else to_money(order.total),
            payment_method=order.payment_method,
            expire_after=to_duration(order.authorization_ttl),
            order_deadline_time=to_timestamp(order.deadline),
        )
        response = await self._stub.AuthorizePayment(request, timeout=call.timeout_s)
        payment = response.payment
        if payment.state == PaymentState.PAYMENT_STATE_AUTHORIZED:
            expire_time = from_timestamp(payment.authorize_expire_time)
            return commands.Authorized(payment.payment_id, expire_time)
        if payment.state in _ENDED:
            return commands.StepRefused(AUTHORIZE, _refusal_of(payment))
        return _open(AUTHORIZE, payment)

    async def capture(
        self, order: Order, call: StepCall
    ) -> commands.Captured | commands.NotCaptured | Pending:
        """Take the whole authorized amount; after the pivot only evidence counts as an answer."""
        request = rpc.CapturePaymentRequest(request_id=call.step_id, payment_id=order.payment_id)
        response = await self._stub.CapturePayment(request, timeout=call.timeout_s)
        capture = response.capture
        if capture.state == CaptureState.CAPTURE_STATE_CAPTURED:
            return commands.Captured(from_money(response.payment.captured_amount))
        if capture.state == CaptureState.CAPTURE_STATE_NOT_CAPTURED:
            return commands.NotCaptured(from_capture_refusal(capture.refusal))
        return Pending(CaptureState.Name(capture.state))

    async def void(self, order: Order, call: StepCall) -> Done | Pending | Contradiction:
        """Void the authorization, or make payment refuse an authorize that arrives late."""
        request = rpc.VoidPaymentRequest(request_id=call.step_id, reason=order.cause.name)
        if order.payment_id:
            request.payment_id = order.payment_id
        else:
            attempt = order.attempt_of(AUTHORIZE)
            request.authorize_request_id = step_id(order.order_id, AUTHORIZE, attempt)
            request.order_id = order.order_id
        response = await self._stub.VoidPayment(request, timeout=call.timeout_s)
        if response.payment.state in _ENDED:
            return Done.DONE
        return _open(VOID, response.payment)

    async def refund(
        self, order: Order, call: StepCall
    ) -> commands.Refunded | commands.RefundFailed | Pending:
        """Give back everything that was not given back yet."""
        request = rpc.RefundPaymentRequest(request_id=call.step_id, payment_id=order.payment_id)
        response = await self._stub.RefundPayment(request, timeout=call.timeout_s)
        refund = response.refund
        if refund.state == RefundState.REFUND_STATE_SUCCEEDED:
            return commands.Refunded(from_money(response.payment.refunded_amount))
        if refund.state == RefundState.REFUND_STATE_FAILED:
            return commands.RefundFailed()
        return Pending(RefundState.Name(refund.state))


def _open(step: str, payment: Payment) -> Pending | Contradiction:
    """Return an answer that leaves the step open: not known yet, or contradictory."""
    state = PaymentState.Name(payment.state).removeprefix(_STATE_PREFIX)
    if payment.state in _UNDECIDED:
        return Pending(state)
    return Contradiction(f"{step.upper()}_ANSWERED_{state}")


def _refusal_of(payment: Payment) -> Refusal:
    """Return why nothing is set aside; for a payment without a refusal its state says why."""
    if not payment.refusal.reason and payment.state == PaymentState.PAYMENT_STATE_EXPIRED:
        return _not_captured("AUTHORIZATION_EXPIRED")
    return from_authorize_refusal(payment.refusal)


def from_authorize_refusal(refusal: PaymentRefusal) -> Refusal:
    """Return why payment stored that nothing is set aside."""
    match _reason(refusal):
        case "PAYMENT_DECLINED":
            return Refusal(RefusalReason.PAYMENT_DECLINED, dict(refusal.facts))
        case "ORDER_DEADLINE_PASSED":
            return Refusal(RefusalReason.ORDER_DEADLINE_PASSED, {"participant": PAYMENT})
        case _:
            return Refusal(RefusalReason.FENCED, {"participant": PAYMENT})


def from_capture_refusal(refusal: PaymentRefusal) -> Refusal:
    """Return the reason of payment's evidence that it did not capture."""
    return _not_captured(_reason(refusal))


def _not_captured(why: str) -> Refusal:
    return Refusal(RefusalReason.PAYMENT_NOT_CAPTURED, {"why": why})


def _reason(refusal: PaymentRefusal) -> str:
    return PaymentRefusalReason.Name(refusal.reason).removeprefix(_REASON_PREFIX)
