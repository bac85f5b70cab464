"""The events of an order, and the values that they carry.

They are stored as the messages of order_event.proto: a field that is added there is added here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from types import MappingProxyType
from typing import TypeAlias

from services.chassis.domain.money import Money


class Coordination(IntEnum):
    """Who coordinates a checkout; the numbers are those of the contract."""

    ORCHESTRATED = 1
    CHOREOGRAPHED = 2


class Cause(IntEnum):
    """Why an order ended before it was confirmed; the numbers are those of the contract."""

    NONE = 0
    REFUSED = 1
    CANCELLED = 2
    DEADLINE_PASSED = 3


class RefusalReason(IntEnum):
    """Why an order was refused; the numbers are those of the contract."""

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
    """One item of an order; its name and prices are unknown until the stock is reserved."""

    sku: str
    quantity: int
    name: str = ""
    unit_price: Money | None = None
    line_total: Money | None = None


@dataclass(frozen=True, slots=True)
class Shortage:
    """An item whose stock did not suffice."""

    sku: str
    requested_count: int
    available_count: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an order was refused, with facts by name."""

    reason: RefusalReason
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    shortages: tuple[Shortage, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """RESERVING. Holds every constant of later steps, so that a repeated call is identical."""

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
    """CAPTURING: the pivot. From now on the capture may have been sent."""

    payment_id: str = ""
    coordination: Coordination = Coordination.ORCHESTRATED


@dataclass(frozen=True, slots=True)
class OrderConfirmed:
    """CONFIRMED: the order is paid.

    Its stock is allocated, unless a refund starts in the same write. `payment_id` is set where the
    order may not know its payment yet.
    """

    captured_amount: Money
    payment_id: str = ""


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """A cancel waits for the outcome of the capture."""

    reason: str


@dataclass(frozen=True, slots=True)
class CancellationStarted:
    """CANCELLING: the compensations of the participants in `asked` are due."""

    cause: Cause
    asked: frozenset[str]
    refusal: Refusal | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OrderRejected:
    """REJECTED: the order was refused; nothing is held and nothing was charged."""


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """CANCELLED: nothing is held and nothing was charged."""


@dataclass(frozen=True, slots=True)
class FulfillmentStarted:
    """FULFILLING: the stock is being shipped."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class OrderFulfilled:
    """FULFILLED: the stock was shipped."""


@dataclass(frozen=True, slots=True)
class RefundStarted:
    """REFUNDING: stock and money are being given back."""

    reason: str


@dataclass(frozen=True, slots=True)
class OrderRefunded:
    """REFUNDED: everything was given back."""

    refunded_amount: Money


@dataclass(frozen=True, slots=True)
class ReturnStarted:
    """RETURNING: goods are coming back; `amount` is the sum of the lines."""

    return_id: str
    lines: tuple[Line, ...]
    amount: Money
    reason: str


@dataclass(frozen=True, slots=True)
class ReturnAmountReduced:
    """Less is left of the payment than the return's amount: it is refunded as a new attempt."""

    return_id: str
    amount: Money
    attempt: int


@dataclass(frozen=True, slots=True)
class ReturnCompleted:
    """FULFILLED, unless another return is under way; no `refund_id`: nothing was to refund."""

    return_id: str
    refund_id: str
    refunded_amount: Money


@dataclass(frozen=True, slots=True)
class OrderReturned:
    """RETURNED: every unit came back."""


@dataclass(frozen=True, slots=True)
class RefundObserved:
    """Money was refunded at the payment service directly; `requester` asked for it."""

    refund_id: str
    refunded_amount: Money
    requester: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReviewRequested:
    """An operator should look at a step."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class StepRetried:
    """A step is tried again as a new attempt: it finally failed, or left something to do."""

    step: str
    attempt: int
    reason: str = ""


ReturnEvent: TypeAlias = (
    ReturnStarted | ReturnAmountReduced | ReturnCompleted | OrderReturned | RefundObserved
)
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
    | ReturnEvent
)
