"""Screens as JSON. Names are those of the contracts; amounts are in minor units."""

from typing import Any

from services.storefront.composing.home_screen import HomeScreen
from services.storefront.composing.order_screen import OrderScreen
from services.storefront.composing.parts import Missing
from services.storefront.views.json_values import to_json
from services.storefront.views.order_view import OrderView


def home_json(screen: HomeScreen) -> dict[str, Any]:
    """The first screen. Its orders are short: a tap on one asks for all of it."""
    orders = screen.orders
    return {
        "summary": _part(screen.summary),
        "orders": None if isinstance(orders, Missing) else [_short(order) for order in orders],
        "payments": _part(screen.payments),
        "missing": dict(screen.missing),
    }


def order_json(screen: OrderScreen) -> dict[str, Any]:
    """The screen of one order. `order.version` is where its live stream goes on."""
    return {
        "order": to_json(screen.order),
        "timeline": _part(screen.timeline),
        "payment": _part(screen.payment),
        "stock": _part(screen.stock),
        "mails": _part(screen.mails),
        "missing": dict(screen.missing),
    }


def _part(value: object) -> Any:
    return None if isinstance(value, Missing) else to_json(value)


def _short(order: OrderView) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "state": order.state,
        "label": order.words.label,
        "version": order.version,
        "total": to_json(order.total),
        "units": sum(line.quantity for line in order.lines),
        "created": to_json(order.created),
    }
