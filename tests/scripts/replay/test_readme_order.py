"""The order of README, placed after a replay with the default options."""

import random
import re

from scripts.replay import options
from scripts.replay.order_plan import stock_for
from scripts.suite.baskets import basket_count, read_shop
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
        wanted = sum(dict(basket.lines).get(sku, 0) for basket in shop.baskets)
        assert stock[sku] - wanted >= int(units)
