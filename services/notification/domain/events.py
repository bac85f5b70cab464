"""The events of an order that this service reads, named as in the order's contract."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import TypeAlias

from services.chassis.domain.money import Money


class CancellationCause(IntEnum):
    """Why an order is not carried out; the numbers are those of the order's contract."""

    REFUSED = 1
    CANCELLED = 2
    DEADLINE_PASSED = 3


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """A customer placed the order."""

    customer_id: str


@dataclass(frozen=True, slots=True)
class CancellationStarted:
    """The order will not be confirmed.

    For a refusal, `reason` is its name in the contract ("PAYMENT_DECLINED"), `facts` are its
    facts, and `short_skus` the items of which there was too little stock. For a cancellation,
    `reason` is the customer's own text.
    """

    cause: CancellationCause
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    short_skus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderConfirmed:
    """The order is paid, and its stock is allocated."""

    captured_amount: Money


@dataclass(frozen=True, slots=True)
class OrderRejected:
    """The order was refused; nothing was charged."""


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """The order was cancelled or its deadline passed; nothing was charged."""


@dataclass(frozen=True, slots=True)
class OrderFulfilled:
    """The goods were shipped."""


@dataclass(frozen=True, slots=True)
class OrderRefunded:
    """The whole payment was returned."""

    refunded_amount: Money


@dataclass(frozen=True, slots=True)
class ReturnCompleted:
    """Goods came back, and this much was returned."""

    return_id: str
    refunded_amount: Money


OrderEvent: TypeAlias = (
    OrderPlaced
    | CancellationStarted
    | OrderConfirmed
    | OrderRejected
    | OrderCancelled
    | OrderFulfilled
    | OrderRefunded
    | ReturnCompleted
)
