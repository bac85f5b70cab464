"""Why an order was refused, as a customer reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tradepost.order.v1 import order_pb2

from services.chassis.domain.money import Money
from services.storefront.views.enum_names import name_of

_PREFIX = "ORDER_REFUSAL_REASON_"

_SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "UNKNOWN_SKU": "We no longer sell an item of it.",
        "MIXED_CURRENCY": "Its items are sold in different currencies. Order them one currency at"
        " a time.",
        "TOTAL_OVERFLOW": "Its total is more than we can charge at once.",
        "ZERO_TOTAL": "There is nothing to pay for it.",
        "PRICE_CHANGED": "A price changed after you saw it.",
        "INSUFFICIENT_STOCK": "We have too few of an item.",
        "PAYMENT_NOT_CAPTURED": "Your payment could not be taken.",
        "RESERVATION_EXPIRED": "It took too long, so your items were given back.",
        "ORDER_DEADLINE_PASSED": "It took too long, so we stopped.",
    }
)
_DECLINES: Mapping[str, str] = MappingProxyType(
    {
        "INSUFFICIENT_FUNDS": "there is not enough money on the card",
        "EXPIRED_CARD": "the card is no longer valid",
        "LOST_OR_STOLEN": "the card was reported lost or stolen",
        "SUSPECTED_FRAUD": "your bank suspects fraud",
        "UNKNOWN_METHOD": "this way of paying is not known",
    }
)
_DECLINED = "Your payment was declined"
_ELSE = "It could not be carried out."


@dataclass(frozen=True, slots=True)
class ShortageView:
    """An item of which there were too few units."""

    sku: str
    requested: int
    available: int


@dataclass(frozen=True, slots=True)
class RefusalView:
    """A refusal: its name in the contract, a sentence, and what it is about.

    With PRICE_CHANGED, `expected` is the total that the customer agreed to, and `actual` the total
    of that moment.
    """

    reason: str
    sentence: str
    shortages: tuple[ShortageView, ...] = ()
    expected: Money | None = None
    actual: Money | None = None


def refusal_view(refusal: order_pb2.OrderRefusal) -> RefusalView:
    """Make the view."""
    reason = name_of(order_pb2.OrderRefusalReason.DESCRIPTOR, refusal.reason, _PREFIX)
    return RefusalView(
        reason=reason,
        sentence=_sentence(reason, refusal.facts),
        shortages=tuple(
            ShortageView(each.sku, each.requested_count, each.available_count)
            for each in refusal.shortages
        ),
        expected=_total(refusal.facts, "expected"),
        actual=_total(refusal.facts, "actual"),
    )


def _sentence(reason: str, facts: Mapping[str, str]) -> str:
    if reason == "PAYMENT_DECLINED":
        why = _DECLINES.get(facts.get("decline_code", ""), "")
        return f"{_DECLINED}: {why}." if why else f"{_DECLINED}."
    if reason == "UNKNOWN_SKU" and facts.get("skus"):
        return f"We do not sell {facts['skus']}."
    return _SENTENCES.get(reason, _ELSE)


def _total(facts: Mapping[str, str], name: str) -> Money | None:
    """Return a total of PRICE_CHANGED, which the contract carries as text."""
    amount, currency = facts.get(name, ""), facts.get("currency_code", "")
    return Money(currency, int(amount)) if amount.isdigit() and currency else None
