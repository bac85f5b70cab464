"""Messages of an order, as the order service sends them."""

from collections.abc import Mapping
from typing import Any

from tradepost.order.v1 import order_pb2
from tradepost.order.v1 import order_service_pb2 as rpc
from tradepost.type.v1.money_pb2 import Money

ORDER_ID = "ord_" + "0" * 32


def usd(minor_units: int) -> Money:
    """An amount in cents."""
    return Money(currency_code="USD", minor_units=minor_units)


def an_order(state: str = "CONFIRMED", **fields: Any) -> order_pb2.Order:
    """Ann's order of two teas."""
    line = order_pb2.OrderLine(
        sku="tea-1", quantity=2, name="Green tea", unit_price=usd(250), line_total=usd(500)
    )
    given: dict[str, Any] = {
        "order_id": ORDER_ID,
        "customer_id": "ann",
        "state": f"ORDER_STATE_{state}",
        "lines": [line],
        "total": usd(500),
        "version": 5,
        **fields,
    }
    return order_pb2.Order(**given)


def refused(reason: str, **facts: str) -> order_pb2.OrderRefusal:
    """A refusal by the name of its reason."""
    return order_pb2.OrderRefusal(
        reason=order_pb2.OrderRefusalReason.Value(f"ORDER_REFUSAL_REASON_{reason}"), facts=facts
    )


def told(version: int, event: str = "OrderPlaced", **order: Any) -> rpc.WatchOrderResponse:
    """A version, as WatchOrder tells it."""
    return rpc.WatchOrderResponse(
        order=an_order(version=version, **order),
        version=version,
        event_type=f"tradepost.order.v1.{event}",
    )


def names_of(enum: Any, prefix: str) -> Mapping[str, int]:
    """The values of an enum without the unspecified one, by their names without the prefix."""
    return {name.removeprefix(prefix): number for name, number in enum.items() if number}
