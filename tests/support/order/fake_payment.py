"""Payment in memory; the payment method decides the outcome of a payment.

pm_visa is captured, pm_declined is declined, pm_not_captured is authorized but never captured, and
the first refund of pm_refund_refused is refused for good.
"""

from datetime import timedelta
from typing import Any

import grpc
from tradepost.payment.v1 import payment_pb2 as pay
from tradepost.payment.v1 import payment_service_pb2 as rpc
from tradepost.type.v1.money_pb2 import Money

from discovery.clock import Clock
from services.chassis.request.wire_values import to_timestamp
from tests.support.order.fake_participants import Participant, usd
from tests.support.order.scripted_failures import FailureScript


class FakePayment(Participant):
    """The payments of orders; `captures` counts the captures of each order."""

    def __init__(self, *, clock: Clock, script: FailureScript) -> None:
        super().__init__("payment.tradepost", clock=clock, script=script)
        self.payments: dict[str, pay.Payment] = {}
        self.methods: dict[str, str] = {}
        self.by_authorize: dict[str, str] = {}
        self.captures: dict[str, int] = {}
        self.authorized_for = timedelta(days=7)

    def of_order(self, order_id: str) -> pay.Payment | None:
        """Return the payment of an order; it has at most one here."""
        return next((p for p in self.payments.values() if p.order_id == order_id), None)

    async def AuthorizePayment(
        self, request: rpc.AuthorizePaymentRequest, *, timeout: float | None = None, **_: Any
    ) -> rpc.AuthorizePaymentResponse:
        """Set money aside, unless a tombstone refuses it."""

        def effect() -> rpc.AuthorizePaymentResponse:
            payment_id = self.by_authorize.get(request.request_id)
            if payment_id is None:
                payment = self._new(request.request_id, request.order_id)
                payment.amount.CopyFrom(request.amount)
                self.methods[payment.payment_id] = request.payment_method
                if request.payment_method == "pm_declined":
                    payment.state = pay.PAYMENT_STATE_DECLINED
                    payment.refusal.reason = pay.PAYMENT_REFUSAL_REASON_PAYMENT_DECLINED
                    payment.refusal.facts["decline_code"] = "INSUFFICIENT_FUNDS"
                else:
                    payment.state = pay.PAYMENT_STATE_AUTHORIZED
                    until = self.clock.now() + self.authorized_for
                    payment.authorize_expire_time.CopyFrom(to_timestamp(until))
                payment_id = payment.payment_id
            return rpc.AuthorizePaymentResponse(payment=self.payments[payment_id])

        return await self.answer("AuthorizePayment", request, effect)

    async def CapturePayment(
        self, request: rpc.CapturePaymentRequest, *, timeout: float | None = None, **_: Any
    ) -> rpc.CapturePaymentResponse:
        """Take all or nothing; a refused request stays refused."""

        def effect() -> rpc.CapturePaymentResponse:
            payment = self._existing(request.payment_id)
            capture = next(
                (c for c in payment.captures if c.request_id == request.request_id), None
            )
            if capture is None:
                capture = payment.captures.add(request_id=request.request_id)
                self._capture(payment, capture)
            return rpc.CapturePaymentResponse(payment=payment, capture=capture)

        return await self.answer("CapturePayment", request, effect)

    async def VoidPayment(
        self, request: rpc.VoidPaymentRequest, *, timeout: float | None = None, **_: Any
    ) -> rpc.VoidPaymentResponse:
        """Void an authorization, or leave a tombstone that refuses a late authorize."""

        def effect() -> rpc.VoidPaymentResponse:
            payment_id = request.payment_id or self.by_authorize.get(request.authorize_request_id)
            if payment_id is None:
                payment = self._new(request.authorize_request_id, request.order_id)
                payment.state = pay.PAYMENT_STATE_VOIDED
                payment.refusal.reason = pay.PAYMENT_REFUSAL_REASON_AUTHORIZATION_FENCED
            else:
                payment = self._existing(payment_id)
            if payment.state == pay.PAYMENT_STATE_CAPTURED:
                raise self.refusal(grpc.StatusCode.FAILED_PRECONDITION, "PAYMENT_STATE_CONFLICT")
            if payment.state == pay.PAYMENT_STATE_AUTHORIZED:
                payment.state = pay.PAYMENT_STATE_VOIDED
            return rpc.VoidPaymentResponse(payment=payment)

        return await self.answer("VoidPayment", request, effect)

    async def RefundPayment(
        self, request: rpc.RefundPaymentRequest, *, timeout: float | None = None, **_: Any
    ) -> rpc.RefundPaymentResponse:
        """Give everything back, or the amount that is asked for."""

        def effect() -> rpc.RefundPaymentResponse:
            payment = self._existing(request.payment_id)
            asked = [each for each in payment.refunds if each.request_id == request.request_id]
            refund = asked[0] if asked else None
            if refund is None:
                fails = self.methods[payment.payment_id] == "pm_refund_refused"
                fails = fails and not payment.refunds
                amount = self._refundable(payment, request)
                refund = payment.refunds.add(
                    refund_id=f"rfd_{len(self.requests):032x}",
                    request_id=request.request_id,
                    amount=amount,
                )
                if fails:
                    refund.state = pay.REFUND_STATE_FAILED
                else:
                    refund.state = pay.REFUND_STATE_SUCCEEDED
                    payment.refunded_amount.CopyFrom(
                        usd(payment.refunded_amount.minor_units + amount.minor_units)
                    )
            return rpc.RefundPaymentResponse(payment=payment, refund=refund)

        return await self.answer("RefundPayment", request, effect)

    async def ListPayments(
        self, request: rpc.ListPaymentsRequest, *, timeout: float | None = None, **_: Any
    ) -> rpc.ListPaymentsResponse:
        """List the payments of an order."""
        found = [each for each in self.payments.values() if each.order_id == request.order_id]
        return rpc.ListPaymentsResponse(payments=found)

    def refund_directly(self, order_id: str, minor_units: int) -> None:
        """Refund a part as somebody else would, without the order service."""
        payment = self.of_order(order_id)
        assert payment is not None
        payment.refunds.add(state=pay.REFUND_STATE_SUCCEEDED, amount=usd(minor_units))
        payment.refunded_amount.CopyFrom(usd(payment.refunded_amount.minor_units + minor_units))

    def _refundable(self, payment: pay.Payment, request: rpc.RefundPaymentRequest) -> Money:
        left = (
            payment.captured_amount.minor_units
            - payment.refunded_amount.minor_units
            - payment.refund_pending_amount.minor_units
        )
        wanted = request.amount.minor_units if request.HasField("amount") else left
        if not 0 < wanted <= left:
            raise self.refusal(grpc.StatusCode.FAILED_PRECONDITION, "AMOUNT_EXCEEDS_REFUNDABLE")
        return usd(wanted)

    def _capture(self, payment: pay.Payment, capture: pay.Capture) -> None:
        authorized = payment.state == pay.PAYMENT_STATE_AUTHORIZED
        if authorized and self.methods[payment.payment_id] != "pm_not_captured":
            capture.state = pay.CAPTURE_STATE_CAPTURED
            payment.state = pay.PAYMENT_STATE_CAPTURED
            payment.captured_amount.CopyFrom(payment.amount)
            self.captures[payment.order_id] = self.captures.get(payment.order_id, 0) + 1
            return
        capture.state = pay.CAPTURE_STATE_NOT_CAPTURED
        capture.refusal.reason = pay.PAYMENT_REFUSAL_REASON_NOT_CAPTURED

    def _new(self, authorize_request_id: str, order_id: str) -> pay.Payment:
        payment_id = f"pay_{len(self.payments):032x}"
        payment = pay.Payment(
            payment_id=payment_id, order_id=order_id, authorize_request_id=authorize_request_id
        )
        self.payments[payment_id] = payment
        self.by_authorize[authorize_request_id] = payment_id
        return payment

    def _existing(self, payment_id: str) -> pay.Payment:
        if payment_id not in self.payments:
            raise self.refusal(grpc.StatusCode.NOT_FOUND, "PAYMENT_NOT_FOUND")
        return self.payments[payment_id]
