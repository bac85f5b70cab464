"""An item of the catalogue, and how much of it there is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tradepost.inventory.v1 import item_pb2

from services.chassis.domain.money import Money
from services.chassis.request.wire_values import from_money


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item; `available` is None while the stock isn't known."""

    sku: str
    name: str
    price: Money
    available: int | None


def item_views(items: Iterable[item_pb2.Item], stock: Mapping[str, int]) -> tuple[ItemView, ...]:
    """Combine items with their stock, in the order of the items."""
    return tuple(
        ItemView(item.sku, item.name, from_money(item.unit_price), stock.get(item.sku))
        for item in items
    )


def available_by_sku(levels: Iterable[item_pb2.StockLevel]) -> Mapping[str, int]:
    """Return how many units of each item can be ordered now."""
    return {level.sku: level.available_count for level in levels}
