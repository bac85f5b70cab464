"""What to ask of the processor: the intents of a payment, each under the key of its request.

The same payment always leads to the same question under the same key, so it can be asked again
for as long as the answer is unknown.
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
    """Take what is set aside."""

    key: str
    authorization_reference: str
    amount: Money


@dataclass(frozen=True, slots=True)
class VoidCall:
    """Let go what the authorize with `authorize_key` set aside, or keep it from ever doing so."""

    key: str
    authorize_key: str
    authorization_reference: str


@dataclass(frozen=True, slots=True)
class RefundCall:
    """Give money back."""

    key: str
    authorization_reference: str
    amount: Money


ProcessorCall: TypeAlias = AuthorizeCall | CaptureCall | VoidCall | RefundCall


def next_call(payment: Payment) -> ProcessorCall | None:
    """What a payment that is driven asks next; None where nothing is left to ask.

    A void that was noted in AUTHORIZING doesn't change the question: only the answer to the
    keyed authorize tells what there is to void. A tombstone asks for its fence, which nobody
    waits for: after a restored backup the processor may know more than we do.
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
