"""Sums up what a customer ordered and spent, as pure functions.

The events of the two feeds arrive in any order relative to each other, and again after a rewind;
those of one order arrive in their order. What is known about an order follows from its newest
events, and a payment is counted once by its id: so the totals do not depend on how often and in
which order the feeds are delivered.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

_MAX_INT64 = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Placed:
    """A customer placed an order, `at_micros` microseconds after the Unix epoch."""

    customer_id: str
    at_micros: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The order was paid and its stock allocated."""


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The order was cancelled after that, or every unit of it came back."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """The goods have left, so a refund that had begun is over."""


OrderFact: TypeAlias = Placed | Confirmed | GivenBack | Shipped


@dataclass(frozen=True, slots=True)
class CountedOrder:
    """What is known about one order; `customer_id` is empty until OrderPlaced has arrived."""

    order_id: str
    customer_id: str = ""
    place_micros: int = 0
    is_confirmed: bool = False
    is_given_back: bool = False

    @property
    def is_kept(self) -> bool:
        """Whether it counts as confirmed."""
        return self.is_confirmed and not self.is_given_back


@dataclass(frozen=True, slots=True)
class MoneyMovement:
    """A capture or a refund of an order, by its id; one of the two amounts is 0."""

    order_id: str
    entry_id: str
    currency_code: str
    captured_minor: int = 0
    refunded_minor: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """How many orders a customer placed and kept, and the newest of them."""

    customer_id: str
    order_count: int = 0
    confirmed_count: int = 0
    last_order_id: str = ""
    last_order_micros: int = 0


@dataclass(frozen=True, slots=True)
class Spend:
    """What a customer spent in one currency."""

    currency_code: str
    captured_minor: int = 0
    refunded_minor: int = 0


def evolve(order: CountedOrder, fact: OrderFact) -> CountedOrder:
    """Return what is known about an order after an event; a repeated one changes nothing."""
    match fact:
        case Placed(customer_id, at_micros):
            return replace(order, customer_id=customer_id, place_micros=at_micros)
        case Confirmed():
            return replace(order, is_confirmed=True)
        case GivenBack():
            return replace(order, is_given_back=True)
        case Shipped():
            return replace(order, is_given_back=False)


def count(totals: Totals, before: CountedOrder, after: CountedOrder) -> Totals:
    """Return the totals that counted an order as `before`, with the order as `after` instead."""
    was_placed = bool(before.customer_id)
    newest = max(
        (totals.last_order_micros, totals.last_order_id), (after.place_micros, after.order_id)
    )
    return Totals(
        customer_id=totals.customer_id,
        order_count=totals.order_count + (not was_placed),
        confirmed_count=totals.confirmed_count + after.is_kept - (was_placed and before.is_kept),
        last_order_micros=newest[0],
        last_order_id=newest[1],
    )


def add(spend: Spend, movement: MoneyMovement) -> Spend:
    """Return the spend with one more movement of its currency.

    A sum ends at the largest number that the table and the contract can hold, in whatever order
    the movements arrive.
    """
    return Spend(
        currency_code=spend.currency_code,
        captured_minor=min(spend.captured_minor + movement.captured_minor, _MAX_INT64),
        refunded_minor=min(spend.refunded_minor + movement.refunded_minor, _MAX_INT64),
    )
