"""The basket at the prices of the moment."""

from services.chassis.domain.money import MAX_AMOUNT_MINOR, Money
from services.storefront.views.basket_view import basket_view
from services.storefront.views.item_view import ItemView


def item(sku: str, price_minor: int = 100, currency: str = "USD", available: int = 9) -> ItemView:
    """An item for sale."""
    return ItemView(sku, f"a fine {sku}", Money(currency, price_minor), available)


def test_a_basket_is_the_sum_of_its_lines() -> None:
    """The lines are sorted by SKU, each at quantity times price."""
    basket = basket_view({"tea": 2, "jam": 1}, [item("tea", 250), item("jam", 399)])

    assert [line.sku for line in basket.lines] == ["jam", "tea"]
    assert basket.total == Money("USD", 899)
    assert basket.hindrances == ()


def test_an_item_that_is_no_longer_sold_hinders_the_order() -> None:
    """It has no price, so the basket has no total."""
    basket = basket_view({"tea": 2, "unicorn": 1}, [item("tea")])

    assert basket.total is None
    assert basket.hindrances == ("unicorn is no longer sold. Take it out.",)


def test_too_few_units_hinder_the_order_only_if_that_is_known() -> None:
    """Without the stock the customer may try: the order service decides."""
    short = basket_view({"tea": 10}, [item("tea", available=9)])
    unknown = basket_view({"tea": 10}, [ItemView("tea", "Tea", Money("USD", 1), None)])

    assert short.hindrances == ("There are only 9 of a fine tea left.",)
    assert unknown.hindrances == ()


def test_what_cannot_be_paid_together_hinders_the_order() -> None:
    """Two currencies, and more money than one order may cost."""
    mixed = basket_view({"tea": 1, "jam": 1}, [item("tea"), item("jam", currency="EUR")])
    dear = basket_view({"tea": 2}, [item("tea", MAX_AMOUNT_MINOR)])

    for basket in (mixed, dear):
        assert basket.total is None
        assert len(basket.hindrances) == 1


def test_an_empty_basket_has_no_hindrances() -> None:
    """There is nothing to complain about."""
    assert basket_view({}, []).hindrances == ()
