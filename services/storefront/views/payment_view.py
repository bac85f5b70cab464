"""The payment of an order as a customer sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from tradepost.payment.v1 import payment_pb2

from services.chassis.domain.money import Money
from services.chassis.request.wire_values import from_money, from_timestamp
from services.storefront.views.enum_names import name_of

_PREFIX = "PAYMENT_STATE_"
_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "AUTHORIZING": "Being approved",
        "AUTHORIZED": "Approved, not charged yet",
        "DECLINED": "Declined, not charged",
        "CAPTURING": "Being charged",
        "CAPTURED": "Charged",
        "VOIDING": "Being released, not charged",
        "VOIDED": "Released, not charged",
        "EXPIRED": "Expired, not charged",
    }
)
_REFUND_LABELS: Mapping[int, str] = MappingProxyType(
    {
        payment_pb2.REFUND_STATE_PENDING: "On its way to you",
        payment_pb2.REFUND_STATE_SUCCEEDED: "Returned",
        payment_pb2.REFUND_STATE_FAILED: "Refused by your bank; we are looking into it",
    }
)


@dataclass(frozen=True, slots=True)
class RefundView:
    """Money that goes back."""

    refund_id: str
    amount: Money
    label: str
    created: datetime


@dataclass(frozen=True, slots=True)
class PaymentView:
    """A payment; `state` is its name in the contract."""

    payment_id: str
    order_id: str
    state: str
    label: str
    amount: Money
    captured: Money
    refunded: Money
    refunds: tuple[RefundView, ...]


def payment_view(payment: payment_pb2.Payment) -> PaymentView:
    """Make the view. Who asked for a refund is the shop's own affair, so it is left out."""
    state = name_of(payment_pb2.PaymentState.DESCRIPTOR, payment.state, _PREFIX)
    return PaymentView(
        payment_id=payment.payment_id,
        order_id=payment.order_id,
        state=state,
        label=_LABELS.get(state, "Under way"),
        amount=from_money(payment.amount),
        captured=from_money(payment.captured_amount),
        refunded=from_money(payment.refunded_amount),
        refunds=tuple(_refund(each) for each in payment.refunds),
    )


def _refund(refund: payment_pb2.Refund) -> RefundView:
    return RefundView(
        refund_id=refund.refund_id,
        amount=from_money(refund.amount),
        label=_REFUND_LABELS.get(refund.state, "Under way"),
        created=from_timestamp(refund.create_time),
    )
