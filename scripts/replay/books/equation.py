"""An equation of the books: two numbers that must be equal, of things or of money."""

from dataclasses import dataclass

from scripts.suite.baskets import CURRENCY

MINOR_UNITS_PER_UNIT = 100


@dataclass(frozen=True, slots=True)
class Equation:
    """An equation: `left` and `right` must be equal.

    With a `currency` they are amounts, in its minor units.
    """

    name: str
    left: int
    right: int
    currency: str = ""

    @property
    def ok(self) -> bool:
        return self.left == self.right

    def text(self, side: int) -> str:
        """`left` or `right` as a person reads it: 1,234 or 12.34 USD."""
        if not self.currency:
            return f"{side:,}"
        return f"{side / MINOR_UNITS_PER_UNIT:,.2f} {self.currency}"


def in_money(name: str, left: int, right: int) -> Equation:
    """An equation of amounts in the currency of the data set."""
    return Equation(name, left, right, CURRENCY)
