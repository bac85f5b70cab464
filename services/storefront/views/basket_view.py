"""The basket at the prices and with the stock of this moment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.chassis.domain.money import MAX_AMOUNT_MINOR, Money
from services.storefront.views.item_view import ItemView


@dataclass(frozen=True, slots=True)
class BasketLine:
    """Some units of an item; `item` is None if it is no longer sold."""

    sku: str
    quantity: int
    item: ItemView | None

    @property
    def total(self) -> Money | None:
        """The price of the units."""
        if self.item is None:
            return None
        price = self.item.price
        return Money(price.currency_code, price.minor_units * self.quantity)

    @property
    def is_short(self) -> bool:
        """Whether there are too few units, as far as that is known."""
        available = None if self.item is None else self.item.available
        return available is not None and available < self.quantity


@dataclass(frozen=True, slots=True)
class BasketView:
    """The lines, sorted by SKU. `total` is None if they can't be ordered together."""

    lines: tuple[BasketLine, ...]
    total: Money | None

    @property
    def hindrances(self) -> tuple[str, ...]:
        """Why it can't be ordered as it is."""
        found = [
            f"{line.sku} is no longer sold. Take it out."
            for line in self.lines
            if line.item is None
        ]
        found += [
            f"There are only {line.item.available} of {line.item.name} left."
            for line in self.lines
            if line.item is not None and line.is_short
        ]
        if not found and self.lines and self.total is None:
            found.append("These items can't be paid together: order some of them separately.")
        return tuple(found)


def basket_view(basket: Mapping[str, int], items: Iterable[ItemView]) -> BasketView:
    """Price a basket, which is quantities by SKU."""
    known = {item.sku: item for item in items}
    lines = tuple(
        BasketLine(sku, quantity, known.get(sku)) for sku, quantity in sorted(basket.items())
    )
    return BasketView(lines, _total(lines))


def _total(lines: tuple[BasketLine, ...]) -> Money | None:
    """Return the sum; None without lines, with an unknown item, or with two currencies."""
    totals = [line.total for line in lines]
    known = [total for total in totals if total is not None]
    currencies = {total.currency_code for total in known}
    if len(known) < len(totals) or len(currencies) != 1:
        return None
    minor_units = sum(total.minor_units for total in known)
    return Money(currencies.pop(), minor_units) if minor_units <= MAX_AMOUNT_MINOR else None
