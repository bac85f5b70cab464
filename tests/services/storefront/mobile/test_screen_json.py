"""The phone's JSON."""

import json
from datetime import UTC, datetime

from services.chassis.domain.money import Money
from services.storefront.composing.home_screen import HomeScreen
from services.storefront.composing.order_screen import OrderScreen
from services.storefront.composing.parts import Missing
from services.storefront.mobile.screen_json import home_json, order_json
from services.storefront.views.json_values import to_json
from services.storefront.views.order_view import order_view
from services.storefront.views.summary_view import SummaryView
from services.storefront.views.timeline import timeline_entry
from tests.support.storefront.order_messages import ORDER_ID, an_order, told

ORDER = order_view(an_order())


def test_a_missing_part_is_null_and_named_with_its_reason() -> None:
    """All other parts are there."""
    screen = OrderScreen(
        order=ORDER,
        timeline=(timeline_entry(told(1)),),
        payment=None,
        stock={"tea-1": 7},
        mails=Missing("UNAVAILABLE"),
    )
    content = json.loads(json.dumps(order_json(screen)))

    assert content["missing"] == {"mails": "UNAVAILABLE"}
    assert content["mails"] is None
    assert content["payment"] is None
    assert content["stock"] == {"tea-1": 7}
    assert content["timeline"][0]["event"] == "OrderPlaced"
    assert content["order"]["lines"][0]["total"] == {"currency_code": "USD", "minor_units": 500}


def test_a_home_without_orders_says_why() -> None:
    """Their payments are missing for the same reason."""
    screen = HomeScreen(SummaryView(3, 2, ()), Missing("UNAVAILABLE"), Missing("UNAVAILABLE"))

    assert home_json(screen) == {
        "summary": {"orders": 3, "confirmed": 2, "spend": []},
        "orders": None,
        "payments": None,
        "missing": {"orders": "UNAVAILABLE", "payments": "UNAVAILABLE"},
    }


def test_a_home_has_short_orders() -> None:
    """Enough for a list: state, total and units."""
    screen = HomeScreen(SummaryView(1, 1, ()), (ORDER,), {})
    (short,) = home_json(screen)["orders"]

    assert (short["order_id"], short["state"], short["units"]) == (ORDER_ID, "CONFIRMED", 2)


def test_instants_are_text_in_utc() -> None:
    """With microseconds, as the contracts have them."""
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert to_json({"at": noon, "amounts": (Money("JPY", 5),)}) == {
        "at": "2026-01-01T12:00:00.000000Z",
        "amounts": [{"currency_code": "JPY", "minor_units": 5}],
    }
