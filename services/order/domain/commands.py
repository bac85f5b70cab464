"""What can be asked of an order: wishes of customers and operators, and answers of participants.

An answer is final. That a participant doesn't know yet is no answer, and never comes here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from services.chassis.domain.money import Money
from services.order.domain.events import Coordination, Line, Refusal


@dataclass(frozen=True, slots=True)
class Terms:
    """What the shop promises and demands in time.

    `deadline`: until the pivot. `hold_ttl` and `authorization_ttl`: what is asked of inventory and
    payment. `capture_budget`: what must be left of an authorization when its capture is asked for.
    """

    deadline: timedelta
    hold_ttl: timedelta
    authorization_ttl: timedelta
    capture_budget: timedelta


@dataclass(frozen=True, slots=True)
class Place:
    """A customer orders; the lines are summed by SKU and sorted."""

    customer_id: str
    lines: tuple[Line, ...]
    payment_method: str
    expected_total: Money | None
    coordination: Coordination


@dataclass(frozen=True, slots=True)
class Cancel:
    """A customer cancels."""

    reason: str


@dataclass(frozen=True, slots=True)
class Fulfill:
    """The stock of a confirmed order shall leave the building."""


@dataclass(frozen=True, slots=True)
class RetryStep:
    """An operator wants a step that finally failed tried anew."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """Inventory holds the stock, at these prices."""

    lines: tuple[Line, ...]
    total: Money
    expire_time: datetime | None


@dataclass(frozen=True, slots=True)
class ReserveRefused:
    """Inventory stored that it holds nothing."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Authorized:
    """Payment set the money aside, until the processor's own expiry."""

    payment_id: str
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class AuthorizeRefused:
    """Payment stored that nothing is set aside."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Committed:
    """The hold is final."""


@dataclass(frozen=True, slots=True)
class CommitRefused:
    """Inventory stored that the hold is gone."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Captured:
    """Payment has evidence that the money was taken."""

    amount: Money


@dataclass(frozen=True, slots=True)
class NotCaptured:
    """Payment has evidence that the money was not taken and never will be by this capture."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Compensated:
    """Everything that was asked of the participants is finally given back."""


@dataclass(frozen=True, slots=True)
class Fulfilled:
    """The stock has left the building."""


@dataclass(frozen=True, slots=True)
class Refunded:
    """Stock and money were given back."""

    amount: Money


@dataclass(frozen=True, slots=True)
class RefundFailed:
    """The processor refused this refund for good."""


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The order's time is over."""


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A participant refused a step with an error, for good, and stored nothing."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class StepOverdue:
    """A step takes too long while its participant answers others."""

    step: str


Command: TypeAlias = (
    Place
    | Cancel
    | Fulfill
    | RetryStep
    | Reserved
    | ReserveRefused
    | Authorized
    | AuthorizeRefused
    | Committed
    | CommitRefused
    | Captured
    | NotCaptured
    | Compensated
    | Fulfilled
    | Refunded
    | RefundFailed
    | DeadlinePassed
    | StepFailed
    | StepOverdue
)
