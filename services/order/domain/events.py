"""The facts that make an order, and the values they carry.

They are stored as the messages of order_event.proto; a field that is added there is added here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from types import MappingProxyType
from typing import TypeAlias

from services.chassis.domain.money import Money


class Coordination(IntEnum):
    """Who coordinates a checkout; the numbers are the contract's."""

    ORCHESTRATED = 1
    CHOREOGRAPHED = 2


class Cause(IntEnum):
    """What ended an order before it was confirmed; the numbers are the contract's."""

    NONE = 0
    REFUSED = 1
    CANCELLED = 2
    DEADLINE_PASSED = 3


class RefusalReason(IntEnum):
    """Why an order was refused; the numbers are the contract's."""

    UNKNOWN_SKU = 1
    MIXED_CURRENCY = 2
    TOTAL_OVERFLOW = 3
    ZERO_TOTAL = 4
    PRICE_CHANGED = 5
    INSUFFICIENT_STOCK = 6
    PAYMENT_DECLINED = 7
    PAYMENT_NOT_CAPTURED = 8
    RESERVATION_EXPIRED = 9
    FENCED = 10
    ORDER_DEADLINE_PASSED = 11
    STEP_FAILED = 12


@dataclass(frozen=True, slots=True)
class Line:
    """One item of an order; name and prices by value, unknown until the stock is reserved."""

    sku: str
    quantity: int
    name: str = ""
    unit_price: Money | None = None
    line_total: Money | None = None


@dataclass(frozen=True, slots=True)
class Shortage:
    """An item of which there was too little."""

    sku: str
    requested_count: int
    available_count: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an order was refused, with the facts by name."""

    reason: RefusalReason
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    shortages: tuple[Shortage, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """RESERVING. Holds every constant of later steps, so that a repeated step is the same."""

    customer_id: str
    lines: tuple[Line, ...]
    payment_method: str
    expected_total: Money | None
    coordination: Coordination
    deadline: datetime
    hold_ttl: timedelta
    authorization_ttl: timedelta


@dataclass(frozen=True, slots=True)
class StockReserved:
    """AUTHORIZING: stock is held and priced."""

    reservation_id: str
    lines: tuple[Line, ...]
    total: Money
    expire_time: datetime | None


@dataclass(frozen=True, slots=True)
class PaymentAuthorized:
    """COMMITTING: money is set aside until the processor's own expiry."""

    payment_id: str
    authorize_expire_time: datetime


@dataclass(frozen=True, slots=True)
class CaptureRequested:
    """CAPTURING: the pivot; the capture may have been sent."""

    payment_id: str = ""
    coordination: Coordination = Coordination.ORCHESTRATED


@dataclass(frozen=True, slots=True)
class OrderConfirmed:
    """CONFIRMED: paid and allocated."""

    captured_amount: Money


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """A cancel that waits for the outcome of the capture."""

    reason: str


@dataclass(frozen=True, slots=True)
class CancellationStarted:
    """CANCELLING: what was asked of stock and payment is being let go."""

    cause: Cause
    stock_asked: bool
    payment_asked: bool
    refusal: Refusal | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OrderRejected:
    """REJECTED: nothing is held, nothing was charged, and it was refused."""


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """CANCELLED: nothing is held, nothing was charged."""


@dataclass(frozen=True, slots=True)
class FulfillmentStarted:
    """FULFILLING: stock is leaving the building."""


@dataclass(frozen=True, slots=True)
class OrderFulfilled:
    """FULFILLED."""


@dataclass(frozen=True, slots=True)
class RefundStarted:
    """REFUNDING: stock and money are on their way back."""

    reason: str


@dataclass(frozen=True, slots=True)
class OrderRefunded:
    """REFUNDED: everything was given back."""

    refunded_amount: Money


@dataclass(frozen=True, slots=True)
class ReviewRequested:
    """A step needs an operator's eyes."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class StepRetried:
    """A step that had finally failed is tried anew, under a new attempt."""

    step: str
    attempt: int


Event: TypeAlias = (
    OrderPlaced
    | StockReserved
    | PaymentAuthorized
    | CaptureRequested
    | OrderConfirmed
    | CancelRequested
    | CancellationStarted
    | OrderRejected
    | OrderCancelled
    | FulfillmentStarted
    | OrderFulfilled
    | RefundStarted
    | OrderRefunded
    | ReviewRequested
    | StepRetried
)
