"""Adjusts the stock of an item."""

from tradepost.inventory.v1.inventory_service_pb2 import AdjustStockRequest

from services.console.actions.intention import Intention
from services.console.reading.asker import Asker
from services.console.reading.stubs import Stubs


async def adjust(stubs: Stubs, asker: Asker, intention: Intention) -> str:
    """Add or remove units on hand."""
    answer = await asker.call(
        stubs.inventory.AdjustStock,
        AdjustStockRequest(
            request_id=intention.request_id,
            sku=intention.value("sku"),
            delta=intention.whole("delta"),
            reason=intention.reason,
        ),
    )
    return f"Adjusted {answer.stock.sku}: {answer.stock.on_hand_count:,} on hand."
