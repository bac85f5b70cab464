"""An equation of the books: two numbers that must be equal, of things or of money."""

from collections.abc import Collection
from dataclasses import dataclass

from scripts.suite.baskets import CURRENCY

MINOR_UNITS_PER_UNIT = 100


@dataclass(frozen=True, slots=True)
class Equation:
    """An equation: `left` and `right` must be equal.

    With a `currency` they are amounts, in its minor units. `ids` name what makes them differ, where
    that can be told.
    """

    name: str
    left: int
    right: int
    currency: str = ""
    ids: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.left == self.right

    def text(self, side: int) -> str:
        """`left` or `right` as a person reads it: 1,234 or 12.34 USD."""
        if not self.currency:
            return f"{side:,}"
        return f"{side / MINOR_UNITS_PER_UNIT:,.2f} {self.currency}"


def none_of(name: str, ids: Collection[str]) -> Equation:
    """An equation that says that there is nothing of a kind; `ids` name what there is."""
    return Equation(name, len(ids), 0, ids=tuple(sorted(ids)))


def in_money(name: str, left: int, right: int) -> Equation:
    """An equation of amounts in the currency of the data set."""
    return Equation(name, left, right, CURRENCY)
