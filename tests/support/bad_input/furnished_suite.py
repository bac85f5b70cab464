"""What there is before a bad request comes: two of everything, so that every list has pages."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.suite.suite_in_process import Suite

NAMESPACE = uuid.UUID("5b1d1a52-0000-4a0e-9d0f-6b8f0f6f2a11")
SKUS = ("milk", "tea")
ORDERS = 8


async def furnish(suite: Suite) -> None:
    """Stock two items, and sell both to one customer, a few times."""
    upsert = suite.rpc("InventoryService/UpsertItems")
    price = {"currency_code": "USD", "minor_units": 250}
    items = [
        {"sku": sku, "name": sku.title(), "unit_price": price, "initial_on_hand_count": 1_000}
        for sku in SKUS
    ]
    await suite.call(upsert, upsert.request({"request_id": named("items"), "items": items}))
    create = suite.rpc("OrderService/CreateOrder")
    for number in range(ORDERS):
        await suite.call(create, create.request(order_of(f"order {number}")))


async def ids_of_all(suite: Suite) -> tuple[Mapping[str, str], ...]:
    """The ids of each order, by the fields that hold them."""
    orders = suite.rpc("OrderService/ListOrders")
    page: Any = await suite.call(orders, orders.request({}))
    return tuple(
        {field: getattr(order, field) for field in ("order_id", "reservation_id", "payment_id")}
        for order in page.orders
    )


def named(what: str) -> str:
    """A request_id of that name."""
    return str(uuid.uuid5(NAMESPACE, what))


def order_of(what: str, skus: Sequence[str] = SKUS) -> dict[str, object]:
    """The fields of a good order."""
    return {
        "request_id": named(what),
        "customer_id": "ann",
        "lines": [{"sku": sku, "quantity": 1} for sku in skus],
        "payment_method": "pm_visa",
    }
