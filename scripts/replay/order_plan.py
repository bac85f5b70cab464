"""Who pays how, who cancels, what runs out: seeded rules, so that every path is travelled.

The same seed makes the same plan. A household keeps its payment method; the stock of the most
wanted items is finite.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from tradepost.order.v1.order_pb2 import Coordination

from scripts.suite.baskets import Basket, Shop

# Shares of households, in percent; what each token does is the simulated processor's docstring.
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
POPULAR_SHARE = 0.02
POPULAR_COVER = 0.7


class CustomerAction(Enum):
    """What a customer does with an order."""

    KEEP = "keep"
    FULFILL = "fulfill"
    CANCEL_EARLY = "cancel at once"
    RETURN_AFTER_CONFIRM = "send back"
    EXPECT_WRONG_TOTAL = "expect another price"
    CREATE_TWICE = "ask twice at once"


ACTS = {
    CustomerAction.KEEP: 78.0,
    CustomerAction.FULFILL: 12.0,
    CustomerAction.CANCEL_EARLY: 3.0,
    CustomerAction.RETURN_AFTER_CONFIRM: 3.0,
    CustomerAction.EXPECT_WRONG_TOTAL: 1.0,
    CustomerAction.CREATE_TWICE: 3.0,
}


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """One order to place. `request_id` names it for ever, so repeating it is safe.

    Where `coordination` is unspecified, the suite has a default.
    """

    basket: Basket
    payment_method: str
    action: CustomerAction
    request_id: str
    cancel_after_s: float
    coordination: Coordination.ValueType = Coordination.COORDINATION_UNSPECIFIED


def plan(shop: Shop, seed: int) -> tuple[PlannedOrder, ...]:
    """One visit a basket."""
    rng = random.Random(f"visits {seed}")
    acts = rng.choices(list(ACTS), list(ACTS.values()), k=len(shop.baskets))
    return tuple(
        PlannedOrder(
            basket=basket,
            payment_method=payment_method(basket.household_id, seed),
            action=act,
            request_id=str(UUID(int=rng.getrandbits(128), version=4)),
            cancel_after_s=rng.uniform(0.0, 0.2),
        )
        for basket, act in zip(shop.baskets, acts, strict=True)
    )


def payment_method(household_id: str, seed: int) -> str:
    """A household's token; the same one on every visit."""
    rng = random.Random(f"household {household_id} {seed}")
    return rng.choices(list(PAYMENT_METHODS), list(PAYMENT_METHODS.values()))[0]


def shelves(baskets: Iterable[Basket]) -> Mapping[str, int]:
    """Units on hand of every item: more than is asked for, but for the most popular ones.

    The `POPULAR_SHARE` of items that most baskets want get `POPULAR_COVER` of their demand.
    """
    wanted: Counter[str] = Counter()
    visits: Counter[str] = Counter()
    for basket in baskets:
        for sku, units in basket.lines:
            wanted[sku] += units
            visits[sku] += 1
    popular = {sku for sku, _ in visits.most_common(int(len(wanted) * POPULAR_SHARE))}
    return {
        sku: max(1, int(units * POPULAR_COVER)) if sku in popular else 2 * units + 10
        for sku, units in wanted.items()
    }
