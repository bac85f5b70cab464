"""Sample items and orders, so that every list of the suite has more than one page."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.suite.suite_in_process import Suite

NAMESPACE = uuid.UUID("5b1d1a52-0000-4a0e-9d0f-6b8f0f6f2a11")
SKUS = ("milk", "tea")
ORDERS = 8


async def add_sample_orders(suite: Suite) -> None:
    """Stock two items, and place a few orders of one customer for both."""
    upsert = suite.rpc("InventoryService/UpsertItems")
    price = {"currency_code": "USD", "minor_units": 250}
    items = [
        {"sku": sku, "name": sku.title(), "unit_price": price, "initial_on_hand_count": 1_000}
        for sku in SKUS
    ]
    await suite.call(upsert, upsert.request({"request_id": request_id_of("items"), "items": items}))
    create = suite.rpc("OrderService/CreateOrder")
    for number in range(ORDERS):
        await suite.call(create, create.request(order_fields(f"order {number}")))


async def ids_of_orders(suite: Suite) -> tuple[Mapping[str, str], ...]:
    """Return the ids of each order, by the names of the fields that hold them."""
    orders = suite.rpc("OrderService/ListOrders")
    page: Any = await suite.call(orders, orders.request({}))
    return tuple(
        {field: getattr(order, field) for field in ("order_id", "reservation_id", "payment_id")}
        for order in page.orders
    )


def request_id_of(what: str) -> str:
    """Make the request_id of a named request."""
    return str(uuid.uuid5(NAMESPACE, what))


def order_fields(what: str, skus: Sequence[str] = SKUS) -> dict[str, object]:
    """Return the fields of a valid order."""
    return {
        "request_id": request_id_of(what),
        "customer_id": "ann",
        "lines": [{"sku": sku, "quantity": 1} for sku in skus],
        "payment_method": "pm_visa",
    }
