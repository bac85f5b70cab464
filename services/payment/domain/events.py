"""Events of a payment, each complete in itself; `wire.events` converts them to messages."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from services.chassis.domain.money import Money
from services.payment.domain.state import DeclineCode, Origin, Refusal


@dataclass(frozen=True, slots=True)
class AuthorizationRequested:
    """An authorize will be sent to the processor."""

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
    """A capture will be sent to the processor."""

    payment_id: str
    request_id: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class PaymentCaptured:
    """The money was captured."""

    payment_id: str
    order_id: str
    amount: Money
    request_id: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class CaptureRefused:
    """A capture did not happen, and never will under its request_id."""

    payment_id: str
    order_id: str
    request_id: str
    refusal: Refusal
    origin: Origin


@dataclass(frozen=True, slots=True)
class VoidRequested:
    """A void was requested; it waits while an authorize or a capture is pending."""

    payment_id: str
    request_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class PaymentVoided:
    """The authorized money was released."""

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
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AuthorizationExpired:
    """The authorization expired at the processor."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class RefundRequested:
    """A refund will be sent to the processor; `requester` asked for it."""

    payment_id: str
    refund_id: str
    request_id: str
    amount: Money
    requester: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RefundSucceeded:
    """A refund succeeded; `paid_outside`: the processor had refused it, an operator paid it."""

    payment_id: str
    order_id: str
    refund_id: str
    amount: Money
    request_id: str
    requester: str = ""
    reason: str = ""
    paid_outside: bool = False


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
