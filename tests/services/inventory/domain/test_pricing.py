"""Prices and refusals of baskets, as pure functions."""

import pytest

from services.chassis.domain.money import MAX_AMOUNT_MINOR, Money
from services.inventory.domain.commands import Reserve
from services.inventory.domain.events import ReservationRejected
from services.inventory.domain.pricing import Offer, Quote, QuoteRefusal
from services.inventory.domain.reservation_rules import decide, price
from services.inventory.domain.state import Refusal, RefusalReason, Shortage
from tests.support.inventory.reservation_examples import LINE, NOON, offer, offers_of, wants

SHORT = Refusal(
    RefusalReason.INSUFFICIENT_STOCK, shortages=(Shortage("apple", 11, 10), Shortage("fig", 5, 1))
)
DEAR = MAX_AMOUNT_MINOR // 2


@pytest.mark.parametrize(
    ("command", "offers", "refusal"),
    [
        pytest.param(
            wants(apple=1, nut=1, oil=1),
            [offer("apple")],
            Refusal(RefusalReason.UNKNOWN_SKU, {"skus": "nut oil"}),
            id="unknown SKUs are all named",
        ),
        pytest.param(
            wants(apple=1, pear=1),
            [offer("apple"), offer("pear", currency="EUR")],
            Refusal(RefusalReason.MIXED_CURRENCY, {"currencies": "EUR USD"}),
            id="two currencies have no total",
        ),
        pytest.param(
            wants(apple=3),
            [offer("apple", price_minor=DEAR)],
            Refusal(RefusalReason.TOTAL_OVERFLOW),
            id="a line beyond the largest amount",
        ),
        pytest.param(
            wants(apple=1, pear=2),
            [offer("apple", price_minor=DEAR), offer("pear", price_minor=DEAR)],
            Refusal(RefusalReason.TOTAL_OVERFLOW),
            id="a sum beyond the largest amount",
        ),
        pytest.param(
            wants(apple=99),
            [offer("apple", price_minor=0)],
            Refusal(RefusalReason.ZERO_TOTAL),
            id="nothing to pay goes before a shortage",
        ),
        pytest.param(
            wants(Money("USD", 1), apple=99),
            [offer("apple")],
            Refusal(
                RefusalReason.PRICE_CHANGED,
                {"expected": "1", "actual": "9900", "currency_code": "USD"},
            ),
            id="another price goes before a shortage",
        ),
        pytest.param(
            wants(Money("EUR", 100), apple=1),
            [offer("apple")],
            Refusal(
                RefusalReason.PRICE_CHANGED,
                {
                    "expected": "100",
                    "actual": "100",
                    "currency_code": "USD",
                    "expected_currency_code": "EUR",
                },
            ),
            id="the same number in another currency is another price",
        ),
        pytest.param(
            wants(apple=11, fig=5, pear=1),
            [offer("apple"), offer("fig", units=1), offer("pear")],
            SHORT,
            id="every short SKU is named",
        ),
    ],
)
def test_a_reserve_that_cannot_be_met_is_a_remembered_refusal(
    command: Reserve, offers: list[tuple[str, Offer]], refusal: Refusal
) -> None:
    """The first reason that applies is the refusal, with its facts."""
    events = decide(command, None, now=NOON, offers=offers_of(*offers))

    assert events == (ReservationRejected("rsv_1", "ord_1", refusal),)


def test_a_price_can_be_asked_for_without_reserving() -> None:
    """A quote has the lines and the total, and a refusal keeps them as far as they are known."""
    priced = price(wants(apple=2), now=NOON, offers=offers_of(offer("apple")))
    short = price(wants(apple=11), now=NOON, offers=offers_of(offer("apple")))

    assert priced == Quote((LINE,), Money("USD", 200))
    assert isinstance(short, QuoteRefusal)
    assert (short.total, short.refusal.shortages) == (
        Money("USD", 1100),
        (Shortage("apple", 11, 10),),
    )
