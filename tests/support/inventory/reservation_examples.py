"""Example values: a reserve at noon, and the offers for it."""

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
    """An offer with its SKU."""
    return sku, Offer(f"a fine {sku}", Money(currency, price_minor), units)


def offers_of(*offers: tuple[str, Offer]) -> dict[str, Offer]:
    """Offers by SKU."""
    return dict(offers)


def wants(expected_total: Money | None = None, **units: int) -> Reserve:
    """A reserve of units of each SKU; the order's deadline is half a minute after noon."""
    demands = tuple(Demand(sku, quantity) for sku, quantity in sorted(units.items()))
    return Reserve("rsv_1", "ord_1", demands, expected_total, TTL, NOON + timedelta(seconds=30))


LINE = Line("apple", 2, "a fine apple", Money("USD", 100))
