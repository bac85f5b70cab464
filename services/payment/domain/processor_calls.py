"""The calls to the processor that a payment needs, each under the key of its request.

A payment in the same state always leads to the same call under the same key, so the call can be
repeated for as long as its outcome is unknown.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from services.chassis.domain.money import Money
from services.payment.domain.state import Payment, PaymentState


@dataclass(frozen=True, slots=True)
class AuthorizeCall:
    """Set money aside."""

    key: str
    order_id: str
    amount: Money
    payment_method: str
    expire_after: timedelta


@dataclass(frozen=True, slots=True)
class CaptureCall:
    """Capture what is set aside."""

    key: str
    authorization_reference: str
    amount: Money


@dataclass(frozen=True, slots=True)
class VoidCall:
    """Release what the authorize with `authorize_key` set aside, or prevent that authorize."""

    key: str
    authorize_key: str
    authorization_reference: str


@dataclass(frozen=True, slots=True)
class RefundCall:
    """Refund captured money."""

    key: str
    authorization_reference: str
    amount: Money


ProcessorCall: TypeAlias = AuthorizeCall | CaptureCall | VoidCall | RefundCall


def next_call(payment: Payment) -> ProcessorCall | None:
    """The next call to the processor; None if there is none to make.

    A void that waits in AUTHORIZING does not change the call: only the answer to the authorize says
    whether there is something to void. A tombstone voids at the processor, too, although nothing
    waits for it: after a restored backup the processor may know an authorization that we don't.
    """
    match payment.state:
        case PaymentState.AUTHORIZING:
            return AuthorizeCall(
                key=payment.authorize_request_id,
                order_id=payment.order_id,
                amount=payment.amount,
                payment_method=payment.payment_method,
                expire_after=payment.expire_after,
            )
        case PaymentState.CAPTURING if payment.pending_capture is not None:
            return CaptureCall(
                key=payment.pending_capture.request_id,
                authorization_reference=payment.authorization_reference,
                amount=payment.amount,
            )
        case PaymentState.VOIDING | PaymentState.VOIDED if payment.void_request_id:
            return VoidCall(
                key=payment.void_request_id,
                authorize_key=payment.authorize_request_id,
                authorization_reference=payment.authorization_reference,
            )
        case PaymentState.CAPTURED if payment.pending_refund is not None:
            return RefundCall(
                key=payment.pending_refund.request_id,
                authorization_reference=payment.authorization_reference,
                amount=payment.pending_refund.amount,
            )
        case _:
            return None
