"""The commands of an order: requests of customers and operators, and answers of participants.

An answer is final. While a participant does not know the outcome yet, there is no command.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from services.chassis.domain.money import Money
from services.order.domain.events import Coordination, Line, Refusal


@dataclass(frozen=True, slots=True)
class Terms:
    """The time limits of every new order.

    `deadline`: until the pivot. `hold_ttl` and `authorization_ttl`: asked of inventory and of
    payment. `capture_budget`: how long an authorization must still be valid when its capture is
    requested.
    """

    deadline: timedelta
    hold_ttl: timedelta
    authorization_ttl: timedelta
    capture_budget: timedelta


@dataclass(frozen=True, slots=True)
class Place:
    """A customer places an order; the lines are summed by SKU and sorted."""

    customer_id: str
    lines: tuple[Line, ...]
    payment_method: str
    expected_total: Money | None
    coordination: Coordination


@dataclass(frozen=True, slots=True)
class Cancel:
    """A customer cancels the order."""

    reason: str


@dataclass(frozen=True, slots=True)
class Fulfill:
    """Ship the stock of a confirmed order."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReturnGoods:
    """A customer sends goods back: units by SKU, or (None) all that have not come back."""

    units: Mapping[str, int] | None
    reason: str
    return_id: str = ""


@dataclass(frozen=True, slots=True)
class RetryStep:
    """An operator has a step that finally failed tried again."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Reserved:
    """Inventory holds the stock, at these prices."""

    lines: tuple[Line, ...]
    total: Money
    expire_time: datetime | None


@dataclass(frozen=True, slots=True)
class Authorized:
    """Payment has set the money aside, until the processor's own expiry."""

    payment_id: str
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class Committed:
    """Inventory has made the hold final."""


@dataclass(frozen=True, slots=True)
class StepRefused:
    """A participant refused a step before the pivot and stored that it holds nothing for it."""

    step: str
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Captured:
    """Payment has evidence that the money was taken, whoever asked for it.

    `payment_id` is set where the order may not know its payment yet.
    """

    amount: Money
    payment_id: str = ""


@dataclass(frozen=True, slots=True)
class NotCaptured:
    """Payment has evidence that the money was not taken and never will be by this capture."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Compensated:
    """Every participant has finally undone what was asked of it."""


@dataclass(frozen=True, slots=True)
class Fulfilled:
    """The stock was shipped, whoever asked for it."""


@dataclass(frozen=True, slots=True)
class Refunded:
    """Stock and money were given back."""

    amount: Money


@dataclass(frozen=True, slots=True)
class RefundFailed:
    """The processor refused this refund for good."""


@dataclass(frozen=True, slots=True)
class RefundIncomplete:
    """This refund succeeded, but another one that it counted on failed: some money is left."""


@dataclass(frozen=True, slots=True)
class ReturnRefunded:
    """The goods are on hand again and their price went back; no `refund_id`: none was left."""

    return_id: str
    refund_id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class LessRefundable:
    """Payment has no more than this left to refund for a return, because of other refunds."""

    return_id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class RefundSeen:
    """Payment reports a refund that this order did not ask for, and who asked for it and why."""

    refund_id: str
    amount: Money
    requester: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The order's deadline has passed."""


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A participant answered a step with a final error and stored nothing."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class StepOverdue:
    """A step takes too long while its participant answers other calls."""

    step: str


ReturnCommand: TypeAlias = ReturnGoods | ReturnRefunded | LessRefundable | RefundSeen
Command: TypeAlias = (
    Place
    | Cancel
    | Fulfill
    | RetryStep
    | Reserved
    | Authorized
    | Committed
    | StepRefused
    | Captured
    | NotCaptured
    | Compensated
    | Fulfilled
    | Refunded
    | RefundFailed
    | RefundIncomplete
    | DeadlinePassed
    | StepFailed
    | StepOverdue
    | ReturnCommand
)
