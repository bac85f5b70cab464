"""What a customer did, summed up from the facts of orders and of payments; a pure story.

Facts of the two feeds come in no order between them, and after a rewind they come again. So what
is remembered of an order only ever learns more, and a payment is known by its id: any order of
delivery ends in the same totals.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Placed:
    """A customer placed an order; `at_micros` since the Unix epoch."""

    customer_id: str
    at_micros: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """It was paid and allocated."""


@dataclass(frozen=True, slots=True)
class RefundBegun:
    """It was cancelled after that: stock and money are on their way back."""


OrderFact: TypeAlias = Placed | Confirmed | RefundBegun


@dataclass(frozen=True, slots=True)
class CountedOrder:
    """What is known of one order; nobody's, until it is known to have been placed."""

    order_id: str
    customer_id: str = ""
    place_micros: int = 0
    is_confirmed: bool = False
    is_sent_back: bool = False

    @property
    def is_kept(self) -> bool:
        """Whether it counts as confirmed."""
        return self.is_confirmed and not self.is_sent_back


@dataclass(frozen=True, slots=True)
class MoneyMovement:
    """Money that moved for an order, by the id of its capture or refund: one of the two is 0."""

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
    """What is known of an order after a fact; the same as before where it comes again."""
    match fact:
        case Placed(customer_id, at_micros):
            return replace(order, customer_id=customer_id, place_micros=at_micros)
        case Confirmed():
            return replace(order, is_confirmed=True)
        case RefundBegun():
            return replace(order, is_sent_back=True)


def count(totals: Totals, before: CountedOrder, after: CountedOrder) -> Totals:
    """The totals of the customer of `after`, which had counted what `before` says."""
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


def add(spend: Spend, entry: MoneyMovement) -> Spend:
    """The spend with one more entry of its currency."""
    return Spend(
        currency_code=spend.currency_code,
        captured_minor=spend.captured_minor + entry.captured_minor,
        refunded_minor=spend.refunded_minor + entry.refunded_minor,
    )
