"""A basket at noon, and what is on the shelf for it: values only."""

from datetime import UTC, datetime, timedelta

from services.chassis.domain.money import Money
from services.inventory.domain.commands import Reserve
from services.inventory.domain.pricing import Offer
from services.inventory.domain.state import Demand, Line

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TTL = timedelta(seconds=120)


def offer(
    sku: str, *, units: int = 10, price_minor: int = 100, currency: str = "USD"
) -> tuple[str, Offer]:
    """An item on the shelf."""
    return sku, Offer(f"a fine {sku}", Money(currency, price_minor), units)


def offers_of(*offers: tuple[str, Offer]) -> dict[str, Offer]:
    """What there is."""
    return dict(offers)


def wants(expected_total: Money | None = None, **units: int) -> Reserve:
    """Units of each SKU, for at most half a minute from noon."""
    demands = tuple(Demand(sku, quantity) for sku, quantity in sorted(units.items()))
    return Reserve("rsv_1", "ord_1", demands, expected_total, TTL, NOON + timedelta(seconds=30))


LINE = Line("apple", 2, "a fine apple", Money("USD", 100))
