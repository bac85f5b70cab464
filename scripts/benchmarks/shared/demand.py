"""The orders that both contenders are given: real baskets, in turn, each time with a new id."""

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
# A shelf that no run can empty: every order must be confirmed.
ORDERS_A_SHELF_LASTS = 100_000


@dataclass(frozen=True, slots=True)
class Demand:
    """Baskets to order again and again, and what there is to know of their items."""

    baskets: Sequence[Basket]
    products: Mapping[str, Product]

    @property
    def shelves(self) -> dict[str, int]:
        """Units of each item: enough for every basket as often as a shelf must last."""
        units: Counter[str] = Counter()
        for basket in self.baskets:
            for sku, quantity in basket.lines:
                units[sku] += quantity * ORDERS_A_SHELF_LASTS
        return dict(units)

    def requests(self, number: int, rng: random.Random) -> Sequence[CreateOrderRequest]:
        """That many orders, from the first basket on."""
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
    """From the data set that scripts/setup installs. Raises DataSetMissingError."""
    shop = read_shop(BASKETS, FIRST_BASKET)
    # Some baskets cost nothing, all of them coupons; the shop refuses such an order.
    priced = [
        basket
        for basket in shop.baskets
        if any(shop.products[sku].price_minor > 0 for sku, _ in basket.lines)
    ]
    skus = {sku for basket in priced for sku, _ in basket.lines}
    return Demand(priced, {sku: shop.products[sku] for sku in skus})
