"""The orders that README and `--stay` show find units in stock after a replay."""

import random
import re

import pytest

from scripts.replay import options
from scripts.replay.order_plan import plentiful_sku, stock_for
from scripts.suite.baskets import Shop, basket_count, read_shop
from scripts.tools.paths import ROOT


def test_the_order_of_readme_finds_units_in_stock() -> None:
    """README says that it is confirmed: the replay leaves enough of each of its items."""
    defaults = options.parse([])
    first = random.Random(defaults.seed).randrange(basket_count())
    shop = read_shop(defaults.baskets, first)
    stock = stock_for(shop.baskets)

    ordered = re.findall(r'"sku": "(\d+)", "quantity": (\d+)', (ROOT / "README.md").read_text())

    assert ordered
    for sku, units in ordered:
        assert stock[sku] - wanted(shop, sku) >= int(units)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_printed_order_finds_units_in_stock(seed: int) -> None:
    """Whatever the baskets are, the item of the printed lines is left, and isn't for nothing."""
    shop = read_shop(60, random.Random(seed).randrange(basket_count()))

    sku = plentiful_sku(shop)

    assert sku is not None
    assert shop.products[sku].price_minor > 0
    assert stock_for(shop.baskets)[sku] - wanted(shop, sku) >= 1


def test_an_empty_shop_has_nothing_to_order() -> None:
    """A suite without baskets has no items, so there is no line to print."""
    assert plentiful_sku(Shop(baskets=(), products={}, dropped={})) is None


def wanted(shop: Shop, sku: str) -> int:
    """The units of an item that the baskets want together."""
    return sum(units for basket in shop.baskets for one, units in basket.lines if one == sku)
