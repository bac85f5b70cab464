"""What a customer is told, and when: facts of an order in, at most one notice out.

`evolve` keeps what later notices need to know of an order; `notice` writes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from types import MappingProxyType
from typing import TypeAlias

from services.chassis.domain.money import Money


class UnknownOrderError(Exception):
    """An order is over that nobody saw being placed: there is nobody to tell."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"{order_id} was never seen being placed")


class Template(IntEnum):
    """What a notification tells; the numbers are the contract's."""

    CONFIRMED = 1
    REJECTED = 2
    CANCELLED = 3
    REFUNDED = 4
    FULFILLED = 5


class State(IntEnum):
    """Where a notification stands; the numbers are the contract's."""

    PENDING = 1
    SENT = 2
    REFUSED = 3


class Cause(IntEnum):
    """What ended an order early; the numbers are those of the order's contract."""

    REFUSED = 1
    CANCELLED = 2
    DEADLINE_PASSED = 3


@dataclass(frozen=True, slots=True)
class Placed:
    """Somebody ordered."""

    customer_id: str


@dataclass(frozen=True, slots=True)
class Ending:
    """The order will not be confirmed.

    `reason` names a refusal as the contract does ("PAYMENT_DECLINED"), or is the customer's own;
    `facts` are those of the refusal, `short_skus` the items of which there was too little.
    """

    cause: Cause
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    short_skus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Paid and allocated."""

    amount: Money


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refused; nothing was charged."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Cancelled or too late; nothing was charged."""


@dataclass(frozen=True, slots=True)
class Fulfilled:
    """The goods have left."""


@dataclass(frozen=True, slots=True)
class Refunded:
    """Everything was given back."""

    amount: Money


Fact: TypeAlias = Placed | Ending | Confirmed | Rejected | Cancelled | Fulfilled | Refunded


@dataclass(frozen=True, slots=True)
class Brief:
    """What is known of an order so far; `why` is how it ended early, as a sentence."""

    order_id: str
    customer_id: str = ""
    total: Money | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """What to tell a customer."""

    template: Template
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Notification:
    """A notice on its way."""

    notification_id: str
    order_id: str
    customer_id: str
    notice: Notice
    recipient: str
    state: State
    create_time: datetime
    send_time: datetime | None = None
    error: str = ""


def evolve(brief: Brief, fact: Fact) -> Brief:
    """What is known after a fact."""
    match fact:
        case Placed(customer_id):
            return replace(brief, customer_id=customer_id)
        case Confirmed(amount):
            return replace(brief, total=amount)
        case Ending():
            return replace(brief, why=_why(fact))
        case _:
            return brief


def notice(brief: Brief, fact: Fact) -> Notice | None:
    """What the customer is told of a fact; None for most. Raises UnknownOrderError."""
    told = _told(brief, fact)
    if told is None:
        return None
    if not brief.customer_id:
        raise UnknownOrderError(brief.order_id)
    template, subject, text = told
    body = f"Dear customer {brief.customer_id},\n\n{text}\n\nYour order: {brief.order_id}\n"
    return Notice(template, f"{subject} ({brief.order_id})", body)


def _told(brief: Brief, fact: Fact) -> tuple[Template, str, str] | None:
    match fact:
        case Confirmed(amount):
            text = f"thank you. Your order is confirmed, and {say(amount)} was paid."
            return Template.CONFIRMED, "Your order is confirmed", text
        case Rejected():
            text = f"we could not accept your order. {brief.why}\nNothing was charged."
            return Template.REJECTED, "Your order was not accepted", text
        case Cancelled():
            text = f"your order was cancelled. {brief.why}\nNothing was charged."
            return Template.CANCELLED, "Your order was cancelled", text
        case Refunded(amount):
            text = f"your order was cancelled, and {say(amount)} is on its way back to you."
            return Template.REFUNDED, "Your order was refunded", text
        case Fulfilled():
            text = f"your order{_worth(brief)} is on its way."
            return Template.FULFILLED, "Your order is on its way", text
        case _:
            return None


# Currencies whose smallest unit is no hundredth (ISO 4217).
_DECIMALS = MappingProxyType(
    {
        **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"), 0),
        **dict.fromkeys(("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
        **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
        **dict.fromkeys(("CLF", "UYW"), 4),
    }
)


def say(amount: Money) -> str:
    """An amount in words: `USD 12.50`; decimals as ISO 4217 has them for the currency."""
    decimals = _DECIMALS.get(amount.currency_code, 2)
    if decimals == 0:
        return f"{amount.currency_code} {amount.minor_units}"
    whole, part = divmod(amount.minor_units, 10**decimals)
    return f"{amount.currency_code} {whole}.{part:0{decimals}d}"


def _worth(brief: Brief) -> str:
    return "" if brief.total is None else f" over {say(brief.total)}"


def _why(ending: Ending) -> str:
    match ending.cause:
        case Cause.REFUSED:
            return _refusal(ending)
        case Cause.CANCELLED:
            return f"You asked for it: {ending.reason}" if ending.reason else "You asked for it."
        case Cause.DEADLINE_PASSED:
            return "It could not be settled in time."


def _refusal(ending: Ending) -> str:
    match ending.reason:
        case "PAYMENT_DECLINED":
            code = ending.facts.get("decline_code", "").lower().replace("_", " ")
            return f"The payment was declined: {code}." if code else "The payment was declined."
        case "INSUFFICIENT_STOCK":
            return f"There is too little of {', '.join(ending.short_skus) or 'an item'}."
        case "UNKNOWN_SKU":
            return f"We do not sell {ending.facts.get('skus', 'one of the items')}."
        case "PRICE_CHANGED":
            return "The price has changed since you saw it."
        case "ORDER_DEADLINE_PASSED" | "RESERVATION_EXPIRED":
            return "It could not be settled in time."
        case _:
            return "It could not be carried out."
