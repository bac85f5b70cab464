"""Creates the items of a shop in the inventory, with their prices and units on hand."""

import random
from collections.abc import Mapping
from uuid import UUID

from tradepost.inventory.v1.inventory_service_pb2 import ItemUpsert, UpsertItemsRequest
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub
from tradepost.type.v1.money_pb2 import Money

from scripts.suite.baskets import CURRENCY, Product

ITEMS_PER_CALL = 500
CALL_TIMEOUT_S = 30.0


async def create_items(
    inventory: InventoryServiceAsyncStub,
    products: Mapping[str, Product],
    units: Mapping[str, int],
    *,
    rng: random.Random,
) -> int:
    """Create every product with its units on hand; return their number. Raises AioRpcError."""
    upserts = [
        ItemUpsert(
            sku=product.sku,
            name=product.name,
            unit_price=Money(currency_code=CURRENCY, minor_units=product.price_minor),
            initial_on_hand_count=units[product.sku],
        )
        for product in products.values()
    ]
    for start in range(0, len(upserts), ITEMS_PER_CALL):
        request = UpsertItemsRequest(
            request_id=str(UUID(int=rng.getrandbits(128), version=4)),
            items=upserts[start : start + ITEMS_PER_CALL],
        )
        await inventory.UpsertItems(request, timeout=CALL_TIMEOUT_S)
    return len(upserts)
