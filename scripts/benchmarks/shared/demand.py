"""The orders that every contender gets: real baskets in turn, each time with a new id."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from uuid import UUID

from tradepost.order.v1.order_service_pb2 import CreateOrderLine, CreateOrderRequest

from scripts.suite.baskets import Basket, Product, read_shop

# A fixed set, so that every turn gets the same mixture of short and long baskets.
BASKETS = 200
FIRST_BASKET = 20_000
PAYMENT_METHOD = "pm_visa"
# More than any run orders: every order must be confirmed.
ORDERS_IN_STOCK = 100_000


@dataclass(frozen=True, slots=True)
class Demand:
    """Baskets that are ordered again and again, and their products by sku."""

    baskets: Sequence[Basket]
    products: Mapping[str, Product]

    @property
    def units(self) -> dict[str, int]:
        """Units on hand of each item: enough for ORDERS_IN_STOCK orders of every basket."""
        units_by_sku: Counter[str] = Counter()
        for basket in self.baskets:
            for sku, quantity in basket.lines:
                units_by_sku[sku] += quantity * ORDERS_IN_STOCK
        return dict(units_by_sku)

    def requests(self, number: int, rng: random.Random) -> Sequence[CreateOrderRequest]:
        """Requests for so many orders, from the first basket on."""
        return [
            CreateOrderRequest(
                request_id=str(UUID(int=rng.getrandbits(128), version=4)),
                customer_id=basket.household_id,
                lines=[CreateOrderLine(sku=sku, quantity=units) for sku, units in basket.lines],
                payment_method=PAYMENT_METHOD,
            )
            for basket in islice(cycle(self.baskets), number)
        ]


def read_demand() -> Demand:
    """Read the data set that scripts/setup installs. Raises DataSetMissingError."""
    shop = read_shop(BASKETS, FIRST_BASKET)
    # Some baskets cost nothing, because of coupons; the order service refuses such orders.
    priced = [
        basket
        for basket in shop.baskets
        if any(shop.products[sku].price_minor > 0 for sku, _ in basket.lines)
    ]
    skus = {sku for basket in priced for sku, _ in basket.lines}
    return Demand(priced, {sku: shop.products[sku] for sku in skus})
