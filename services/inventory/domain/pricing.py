"""Prices what somebody wants to have, and says why they can't have it.

Prices are taken by value: a quote keeps the name and the price of this moment. Amounts are exact
integers of any size here; what does not fit into 64 bits is refused, not truncated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from services.chassis.domain.money import Money
from services.inventory.domain.stock import MAX_INT64


@dataclass(frozen=True, slots=True)
class Offer:
    """An item on the shelf: its name, what one costs, and how many can be had now."""

    name: str
    unit_price: Money
    available: int


Shelf: TypeAlias = Mapping[str, Offer]


class RefusalReason(StrEnum):
    """Why a reservation was refused; the later ones are looked at only after the earlier ones."""

    RESERVATION_FENCED = "RESERVATION_FENCED"
    ORDER_DEADLINE_PASSED = "ORDER_DEADLINE_PASSED"
    UNKNOWN_SKU = "UNKNOWN_SKU"
    MIXED_CURRENCY = "MIXED_CURRENCY"
    TOTAL_OVERFLOW = "TOTAL_OVERFLOW"
    ZERO_TOTAL = "ZERO_TOTAL"
    PRICE_CHANGED = "PRICE_CHANGED"
    INSUFFICIENT_STOCK = "INSUFFICIENT_STOCK"
    RESERVATION_EXPIRED = "RESERVATION_EXPIRED"


@dataclass(frozen=True, slots=True)
class Shortage:
    """An item of which there is too little."""

    sku: str
    requested: int
    available: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A result that is remembered: a late duplicate gets the same one."""

    reason: RefusalReason
    facts: Mapping[str, str] = field(default_factory=dict)
    shortages: tuple[Shortage, ...] = ()


@dataclass(frozen=True, slots=True)
class Demand:
    """So many units of one item; a basket names each item once, sorted by SKU."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Line:
    """Units of one item at the price of the moment."""

    sku: str
    quantity: int
    name: str
    unit_price: Money

    @property
    def total_minor(self) -> int:
        """quantity times unit_price."""
        return self.quantity * self.unit_price.minor_units


@dataclass(frozen=True, slots=True)
class Quote:
    """What the lines cost; all of their units are available."""

    lines: tuple[Line, ...]
    total: Money


@dataclass(frozen=True, slots=True)
class Refused:
    """Why the lines are not to be had; with their prices, as far as those can be told."""

    refusal: Refusal
    lines: tuple[Line, ...] = ()
    total: Money | None = None


def quote(demands: Sequence[Demand], shelf: Shelf, expected_total: Money | None) -> Quote | Refused:
    """Price `demands`. `shelf` holds every item that exists of those demanded."""
    unknown = [demand.sku for demand in demands if demand.sku not in shelf]
    if unknown:
        # A SKU has no spaces in it, so this can be taken apart again.
        return refused(RefusalReason.UNKNOWN_SKU, skus=" ".join(unknown))
    lines = tuple(_line(demand, shelf[demand.sku]) for demand in demands)
    currencies = sorted({line.unit_price.currency_code for line in lines})
    if len(currencies) > 1:
        return refused(RefusalReason.MIXED_CURRENCY, currencies=" ".join(currencies))
    total = Money(currencies[0], sum(line.total_minor for line in lines))
    if total.minor_units > MAX_INT64:
        return refused(RefusalReason.TOTAL_OVERFLOW)
    refusal = _refusal(lines, total, shelf, expected_total)
    return Quote(lines, total) if refusal is None else Refused(refusal, lines, total)


def refused(reason: RefusalReason, **facts: str) -> Refused:
    """A refusal before there was a price."""
    return Refused(Refusal(reason, facts))


def _line(demand: Demand, offer: Offer) -> Line:
    return Line(demand.sku, demand.quantity, offer.name, offer.unit_price)


def _refusal(
    lines: tuple[Line, ...], total: Money, shelf: Shelf, expected_total: Money | None
) -> Refusal | None:
    if total.minor_units == 0:
        return Refusal(RefusalReason.ZERO_TOTAL)
    if expected_total is not None and expected_total != total:
        return _price_changed(expected_total, total)
    shortages = tuple(
        Shortage(line.sku, line.quantity, shelf[line.sku].available)
        for line in lines
        if line.quantity > shelf[line.sku].available
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
