"""The facts of a payment, each complete in itself; `wire_events` writes them into the log."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from services.chassis.domain.money import Money
from services.payment.domain.state import DeclineCode, Origin, Refusal


@dataclass(frozen=True, slots=True)
class AuthorizationRequested:
    """The intent to set money aside."""

    payment_id: str
    order_id: str
    customer_id: str
    amount: Money
    payment_method: str
    expire_after: timedelta
    authorize_request_id: str
    origin: Origin
    history: bytes = b""


@dataclass(frozen=True, slots=True)
class PaymentAuthorized:
    """Money was set aside."""

    payment_id: str
    order_id: str
    amount: Money
    reference: str
    expire_time: datetime
    origin: Origin
    history: bytes = b""


@dataclass(frozen=True, slots=True)
class PaymentDeclined:
    """Money was not set aside."""

    payment_id: str
    order_id: str
    refusal: Refusal
    code: DeclineCode | None
    origin: Origin
    history: bytes = b""


@dataclass(frozen=True, slots=True)
class CaptureStarted:
    """The intent to take the money."""

    payment_id: str
    request_id: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class PaymentCaptured:
    """The money was taken."""

    payment_id: str
    order_id: str
    amount: Money
    request_id: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class CaptureRefused:
    """A capture certainly did not happen and never will under its request_id."""

    payment_id: str
    order_id: str
    request_id: str
    refusal: Refusal
    origin: Origin


@dataclass(frozen=True, slots=True)
class VoidRequested:
    """A void was asked for; it waits where another intent is under way."""

    payment_id: str
    request_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class PaymentVoided:
    """The money was let go."""

    payment_id: str
    order_id: str
    authorize_request_id: str


@dataclass(frozen=True, slots=True)
class AuthorizationFenced:
    """Nothing was set aside and nothing will be: the void came first (a tombstone)."""

    payment_id: str
    order_id: str
    authorize_request_id: str
    void_request_id: str


@dataclass(frozen=True, slots=True)
class AuthorizationExpired:
    """The processor let the authorization run out."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class RefundRequested:
    """The intent to give money back."""

    payment_id: str
    refund_id: str
    request_id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class RefundSucceeded:
    """Money went back."""

    payment_id: str
    order_id: str
    refund_id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class RefundFailed:
    """The processor refused a refund for good."""

    payment_id: str
    refund_id: str
    refusal: Refusal


Event: TypeAlias = (
    AuthorizationRequested
    | PaymentAuthorized
    | PaymentDeclined
    | CaptureStarted
    | PaymentCaptured
    | CaptureRefused
    | VoidRequested
    | PaymentVoided
    | AuthorizationFenced
    | AuthorizationExpired
    | RefundRequested
    | RefundSucceeded
    | RefundFailed
)
