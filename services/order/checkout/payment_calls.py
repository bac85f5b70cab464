"""Calls payment for the steps of the checkout, and converts its answers to commands.

A request is built from stored events alone, so a repeated request has the same bytes. A final
answer is a command, `Pending` means that payment does not know the outcome yet, and an answer that
contradicts the step is a `Contradiction`.

Somebody may have moved the money directly, so that the payment's state does not allow the step. The
step then reads the payment and concludes from its state: captured under another request_id is
captured, and refunded in full is refunded.
"""

from collections.abc import Sequence

import grpc
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

from services.chassis.request.enum_numbers import UnknownEnumValueError, name_of
from services.chassis.request.wire_values import (
    from_money,
    from_timestamp,
    to_duration,
    to_money,
    to_timestamp,
)
from services.chassis.saga.model import (
    Contradiction,
    Done,
    Pending,
    StepCall,
    failure_reason,
    step_id,
)
from services.order.checkout.refund_answers import (
    is_refunded,
    paid_for_before,
    without_price,
    without_refund,
)
from services.order.domain import commands
from services.order.domain.events import Refusal, RefusalReason
from services.order.domain.state import Order
from services.order.domain.steps import AUTHORIZE, PAYMENT, REFUND_RETURN, VOID

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
# The money was set aside; it may even have been taken.
_AUTHORIZED = frozenset(
    {PaymentState.PAYMENT_STATE_AUTHORIZED, PaymentState.PAYMENT_STATE_CAPTURED}
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
# Why payment refuses a step whose work somebody else has done.
_CONFLICT = "PAYMENT_STATE_CONFLICT"
_NOTHING_LEFT = "AMOUNT_EXCEEDS_REFUNDABLE"
_TOO_MANY = "TOO_MANY_ATTEMPTS"
_NOT_FOUND = "PAYMENT_NOT_FOUND"


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
        if payment.state in _AUTHORIZED:
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
        try:
            response = await self._stub.CapturePayment(request, timeout=call.timeout_s)
        except grpc.aio.AioRpcError as error:
            payment = await self._in_conflict(error, {_CONFLICT, _TOO_MANY}, order, call)
            if payment.state == PaymentState.PAYMENT_STATE_CAPTURED:
                return commands.Captured(from_money(payment.captured_amount))
            if payment.state in _ENDED:
                return commands.NotCaptured(_not_captured(f"AUTHORIZATION_{_state_of(payment)}"))
            return Pending(_state_of(payment))
        capture = response.capture
        if capture.state == CaptureState.CAPTURE_STATE_CAPTURED:
            return commands.Captured(from_money(response.payment.captured_amount))
        if capture.state == CaptureState.CAPTURE_STATE_NOT_CAPTURED:
            return commands.NotCaptured(from_capture_refusal(capture.refusal))
        return Pending(name_of(CaptureState.DESCRIPTOR, capture.state))

    async def void(
        self, order: Order, call: StepCall
    ) -> commands.Captured | Done | Pending | Contradiction:
        """Void the authorization, or make payment refuse an authorize that arrives late."""
        request = rpc.VoidPaymentRequest(request_id=call.step_id, reason=order.cause.name)
        if order.payment_id:
            request.payment_id = order.payment_id
        else:
            request.authorize_request_id = _authorize_id(order)
            request.order_id = order.order_id
        try:
            response = await self._stub.VoidPayment(request, timeout=call.timeout_s)
            payment = response.payment
        except grpc.aio.AioRpcError as error:
            if failure_reason(error) == _NOT_FOUND and not order.payment_id:
                # The request id of the authorize was used for another order: none of ours can be
                # authorized under it any more. A payment that is unknown is a tombstone otherwise.
                return Done.DONE
            payment = await self._in_conflict(error, {_CONFLICT}, order, call)
        if payment.state in _ENDED:
            return Done.DONE
        if payment.state == PaymentState.PAYMENT_STATE_CAPTURED:
            return commands.Captured(from_money(payment.captured_amount), payment.payment_id)
        return _open(VOID, payment)

    async def refund(
        self, order: Order, call: StepCall
    ) -> commands.Refunded | commands.RefundFailed | commands.RefundIncomplete | Pending:
        """Give back everything that was not given back yet.

        The order is refunded when nothing of it is left, whoever gave it back.
        """
        request = rpc.RefundPaymentRequest(request_id=call.step_id, payment_id=order.payment_id)
        try:
            response = await self._stub.RefundPayment(request, timeout=call.timeout_s)
        except grpc.aio.AioRpcError as error:
            return without_refund(await self._in_conflict(error, {_NOTHING_LEFT}, order, call))
        payment, state = response.payment, response.refund.state
        if state == RefundState.REFUND_STATE_PENDING:
            return Pending(name_of(RefundState.DESCRIPTOR, state))
        if state == RefundState.REFUND_STATE_SUCCEEDED or is_refunded(payment):
            return without_refund(payment)
        # Raises for a state that this version does not know: it is no failure.
        name_of(RefundState.DESCRIPTOR, state)
        return commands.RefundFailed()

    async def refund_return(
        self, order: Order, call: StepCall
    ) -> commands.ReturnRefunded | commands.LessRefundable | commands.RefundFailed | Pending:
        """Give back the price of the return that is under way, or what is left of it."""
        current = order.pending_returns[0]
        if current.amount.minor_units == 0:
            return commands.ReturnRefunded(current.return_id, "", current.amount)
        if order.attempt_of(REFUND_RETURN) > 1:
            # An operator may have paid an earlier attempt outside: another would pay it twice.
            paid = paid_for_before(await self._payments(order, call), order, current)
            if paid is not None:
                return paid
        request = rpc.RefundPaymentRequest(
            request_id=step_id(current.return_id, REFUND_RETURN, order.attempt_of(REFUND_RETURN)),
            payment_id=order.payment_id,
            amount=to_money(current.amount),
        )
        try:
            response = await self._stub.RefundPayment(request, timeout=call.timeout_s)
        except grpc.aio.AioRpcError as error:
            payment = await self._in_conflict(error, {_NOTHING_LEFT}, order, call)
            return without_price(payment, current)
        refund = response.refund
        if refund.state == RefundState.REFUND_STATE_SUCCEEDED:
            amount = from_money(refund.amount)
            return commands.ReturnRefunded(current.return_id, refund.refund_id, amount)
        if refund.state == RefundState.REFUND_STATE_FAILED:
            return commands.RefundFailed()
        return Pending(name_of(RefundState.DESCRIPTOR, refund.state))

    async def _payments(self, order: Order, call: StepCall) -> Sequence[Payment]:
        request = rpc.ListPaymentsRequest(order_id=order.order_id)
        return (await self._stub.ListPayments(request, timeout=call.timeout_s)).payments

    async def _in_conflict(
        self, error: grpc.aio.AioRpcError, reasons: set[str], order: Order, call: StepCall
    ) -> Payment:
        """Read the payment that refused a step for one of these reasons.

        Raises the error again if it has another reason, or if the payment's state doesn't explain
        it: an authorized payment can be captured and voided.
        """
        if failure_reason(error) not in reasons:
            raise error
        for payment in await self._payments(order, call):
            is_authorized = payment.state == PaymentState.PAYMENT_STATE_AUTHORIZED
            if payment.authorize_request_id == _authorize_id(order) and not is_authorized:
                return payment
        raise error


def _authorize_id(order: Order) -> str:
    """Return the request id under which the order's payment was authorized."""
    return step_id(order.order_id, AUTHORIZE, order.attempt_of(AUTHORIZE))


def _open(step: str, payment: Payment) -> Pending | Contradiction:
    """Return an answer that leaves the step open: not known yet, or contradictory."""
    if payment.state in _UNDECIDED:
        return Pending(_state_of(payment))
    return Contradiction(f"{step.upper()}_ANSWERED_{_state_of(payment)}")


def _state_of(payment: Payment) -> str:
    return name_of(PaymentState.DESCRIPTOR, payment.state, _STATE_PREFIX)


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
    """Return the reason of payment's evidence that it did not capture.

    The evidence is the state; a reason that this version does not know is passed on as a number.
    """
    try:
        return _not_captured(_reason(refusal))
    except UnknownEnumValueError:
        return _not_captured(str(int(refusal.reason)))


def _not_captured(why: str) -> Refusal:
    return Refusal(RefusalReason.PAYMENT_NOT_CAPTURED, {"why": why})


def _reason(refusal: PaymentRefusal) -> str:
    return name_of(PaymentRefusalReason.DESCRIPTOR, refusal.reason, _REASON_PREFIX)
