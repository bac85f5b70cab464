"""Prices a basket, or says why it is refused.

A quote copies the name and the price of each item, so later changes of the item leave it alone.
Amounts are integers of any size here; a total above `MAX_AMOUNT_MINOR` is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from services.chassis.domain.money import MAX_AMOUNT_MINOR, Money
from services.inventory.domain.state import (
    Demand,
    Line,
    Refusal,
    RefusalReason,
    Shortage,
)


@dataclass(frozen=True, slots=True)
class Offer:
    """An item that can be ordered: its name, the price of one unit, the units available now."""

    name: str
    unit_price: Money
    available: int


# The items that exist of those demanded, by SKU.
Offers: TypeAlias = Mapping[str, Offer]


@dataclass(frozen=True, slots=True)
class Quote:
    """The priced lines of a basket; all of their units are available."""

    lines: tuple[Line, ...]
    total: Money


@dataclass(frozen=True, slots=True)
class QuoteRefusal:
    """The refusal of a basket, with lines and total where they could be priced."""

    refusal: Refusal
    lines: tuple[Line, ...] = ()
    total: Money | None = None


def price_demands(
    demands: Sequence[Demand], offers: Offers, expected_total: Money | None
) -> Quote | QuoteRefusal:
    """The price of `demands`, or why they are refused."""
    unknown = [demand.sku for demand in demands if demand.sku not in offers]
    if unknown:
        # A SKU contains no spaces, so the list can be split again.
        return refuse_unpriced(RefusalReason.UNKNOWN_SKU, skus=" ".join(unknown))
    lines = tuple(_line(demand, offers[demand.sku]) for demand in demands)
    currencies = sorted({line.unit_price.currency_code for line in lines})
    if len(currencies) > 1:
        return refuse_unpriced(RefusalReason.MIXED_CURRENCY, currencies=" ".join(currencies))
    total = Money(currencies[0], sum(line.total_minor for line in lines))
    if total.minor_units > MAX_AMOUNT_MINOR:
        return refuse_unpriced(RefusalReason.TOTAL_OVERFLOW)
    refusal = _refusal(lines, total, offers, expected_total)
    return Quote(lines, total) if refusal is None else QuoteRefusal(refusal, lines, total)


def refuse_unpriced(reason: RefusalReason, **facts: str) -> QuoteRefusal:
    """A refusal that is decided before the lines are priced."""
    return QuoteRefusal(Refusal(reason, facts))


def _line(demand: Demand, offer: Offer) -> Line:
    return Line(demand.sku, demand.quantity, offer.name, offer.unit_price)


def _refusal(
    lines: tuple[Line, ...], total: Money, offers: Offers, expected_total: Money | None
) -> Refusal | None:
    if total.minor_units == 0:
        return Refusal(RefusalReason.ZERO_TOTAL)
    if expected_total is not None and expected_total != total:
        return _price_changed(expected_total, total)
    shortages = tuple(
        Shortage(line.sku, line.quantity, offers[line.sku].available)
        for line in lines
        if line.quantity > offers[line.sku].available
    )
    if shortages:
        return Refusal(RefusalReason.INSUFFICIENT_STOCK, shortages=shortages)
    return None


def _price_changed(expected: Money, actual: Money) -> Refusal:
    facts = {
        "expected": str(expected.minor_units),
        "actual": str(actual.minor_units),
        "currency_code": actual.currency_code,
    }
    if expected.currency_code != actual.currency_code:
        facts["expected_currency_code"] = expected.currency_code
    return Refusal(RefusalReason.PRICE_CHANGED, facts)
