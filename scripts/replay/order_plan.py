"""Plans the orders of a replay by seed: how each is paid, and what its customer does with it.

The same seed makes the same plan. A household always pays with the same method. The most popular
items are too few for all orders, so that some orders are rejected.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from tradepost.order.v1.order_pb2 import Coordination

from scripts.suite.baskets import Basket, Shop

# Shares of households, in percent; the simulated processor's docstring says what each token does.
PAYMENT_METHODS = {
    "pm_visa": 66.0,
    "pm_mastercard": 22.0,
    "pm_insufficient_funds": 3.0,
    "pm_expired_card": 1.0,
    "pm_do_not_honor": 1.0,
    "pm_fraud": 0.5,
    "pm_nobody_knows": 0.5,
    "pm_slow": 2.0,
    "pm_unavailable_before": 1.5,
    "pm_unavailable_after": 1.5,
    "pm_capture_declined": 1.0,
}
# Those that the processor declines.
DECLINED = (
    "pm_insufficient_funds",
    "pm_expired_card",
    "pm_do_not_honor",
    "pm_fraud",
    "pm_nobody_knows",
    "pm_capture_declined",
)
POPULAR_SHARE = 0.02
POPULAR_COVER = 0.7


class CustomerAction(Enum):
    """What a customer does with an order."""

    KEEP = "keep"
    FULFILL = "fulfill"
    CANCEL_EARLY = "cancel during the checkout"
    CANCEL_CONFIRMED = "cancel after confirmation"
    EXPECT_WRONG_TOTAL = "expect a wrong total"
    CREATE_TWICE = "create twice at once"
    RETURN_ONE = "return one unit after fulfilment"
    RETURN_ALL = "return everything after fulfilment"


# Shares of orders, in percent.
ACTION_SHARES = {
    CustomerAction.KEEP: 74.0,
    CustomerAction.FULFILL: 12.0,
    CustomerAction.CANCEL_EARLY: 3.0,
    CustomerAction.CANCEL_CONFIRMED: 3.0,
    CustomerAction.EXPECT_WRONG_TOTAL: 1.0,
    CustomerAction.CREATE_TWICE: 3.0,
    CustomerAction.RETURN_ONE: 2.0,
    CustomerAction.RETURN_ALL: 2.0,
}


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """One order to place. `request_id` never changes, so the request is safe to repeat.

    Where `coordination` is unspecified, the order service uses its setting.
    """

    basket: Basket
    payment_method: str
    action: CustomerAction
    request_id: str
    cancel_after_s: float
    coordination: Coordination.ValueType = Coordination.COORDINATION_UNSPECIFIED


def plan_orders(shop: Shop, seed: int) -> tuple[PlannedOrder, ...]:
    """One order for each basket."""
    rng = random.Random(f"visits {seed}")
    actions = rng.choices(list(ACTION_SHARES), list(ACTION_SHARES.values()), k=len(shop.baskets))
    return tuple(
        PlannedOrder(
            basket=basket,
            payment_method=payment_method(basket.household_id, seed),
            action=action,
            request_id=str(UUID(int=rng.getrandbits(128), version=4)),
            cancel_after_s=rng.uniform(0.0, 0.2),
        )
        for basket, action in zip(shop.baskets, actions, strict=True)
    )


def payment_method(household_id: str, seed: int) -> str:
    """The token with which a household always pays."""
    rng = random.Random(f"household {household_id} {seed}")
    return rng.choices(list(PAYMENT_METHODS), list(PAYMENT_METHODS.values()))[0]


def stock_for(baskets: Sequence[Basket]) -> Mapping[str, int]:
    """Units on hand of every item, by sku: more than the baskets need, except for popular items.

    The `POPULAR_SHARE` of items that are in most baskets get `POPULAR_COVER` of their demand.
    """
    wanted: Counter[str] = Counter()
    for basket in baskets:
        for sku, units in basket.lines:
            wanted[sku] += units
    popular = _popular(baskets)
    return {
        sku: max(1, int(units * POPULAR_COVER)) if sku in popular else 2 * units + 10
        for sku, units in wanted.items()
    }


def plentiful_sku(shop: Shop) -> str | None:
    """An item with a price of which the replay leaves units; None if there is no such item."""
    popular = _popular(shop.baskets)
    left = (one.sku for one in shop.products.values() if one.sku not in popular and one.price_minor)
    return next(left, None)


def expected_refusals(baskets: Sequence[Basket]) -> str:
    """Says to a person why many orders of a replay are rejected."""
    short = _popular(baskets)
    touched = sum(any(sku in short for sku, _ in basket.lines) for basket in baskets)
    declined = sum(PAYMENT_METHODS[method] for method in DECLINED)
    return (
        f"Many orders are rejected on purpose, to show refusals: the {len(short):,} most popular"
        f" items, which {touched:,} baskets want, have stock for {POPULAR_COVER:.0%} of the demand,"
        f" and {declined:g} % of the households pay with a method that is declined"
    )


def _popular(baskets: Sequence[Basket]) -> set[str]:
    """The items that are in most baskets."""
    purchases = Counter(sku for basket in baskets for sku, _ in basket.lines)
    return {sku for sku, _ in purchases.most_common(int(len(purchases) * POPULAR_SHARE))}
