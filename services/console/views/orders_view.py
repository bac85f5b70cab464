"""The list of orders: its filter and its rows."""

from collections.abc import Mapping, Sequence

from tradepost.order.v1.order_pb2 import Order, OrderState
from tradepost.order.v1.order_service_pb2 import ListOrdersRequest

from services.console.views import order_states
from services.console.views.query_values import QueryValues
from services.console.views.table import (
    Cell,
    FilterField,
    Row,
    Table,
    link_to,
    next_query,
    options_of,
    when,
)
from services.console.wire.texts import instant, money_text

PAGE_SIZE = 50
_COLUMNS = ("Order", "Customer", "State", "Total", "Lines", "Version", "Placed", "Changed")


def orders_request(values: QueryValues) -> ListOrdersRequest:
    """What the query asks for."""
    state = values.state("state", OrderState, order_states.PREFIX)
    return ListOrdersRequest(
        customer_id=values.text("customer"),
        states=[OrderState.ValueType(state)] if state else [],
        created_after_time=values.instant("after"),
        created_before_time=values.instant("before"),
        page_size=PAGE_SIZE,
        page_token=values.query.get("page", ""),
    )


def orders_filter(query: Mapping[str, str]) -> tuple[FilterField, ...]:
    """The fields of the filter, filled with the query."""

    def value(name: str) -> str:
        return query.get(name, "")

    return (
        FilterField("id", "Order id", value("id")),
        FilterField("customer", "Customer", value("customer")),
        FilterField("state", "State", value("state"), options_of(order_states.WORDS)),
        FilterField("after", "Placed from (UTC)", value("after"), kind="datetime-local"),
        FilterField("before", "Placed before (UTC)", value("before"), kind="datetime-local"),
    )


def orders_table(orders: Sequence[Order], query: Mapping[str, str], token: str) -> Table:
    """The orders of a page, the newest first."""
    rows = tuple(_row(order) for order in orders)
    return Table("Orders, the newest first", _COLUMNS, rows, next_query=next_query(query, token))


def _row(order: Order) -> Row:
    return Row(
        (
            Cell(order.order_id, link=f"orders/{order.order_id}"),
            Cell(order.customer_id, link=link_to("orders", customer=order.customer_id)),
            order_states.state_cell(order.state, needs_review=order.needs_review),
            Cell(money_text(order.total), is_number=True),
            Cell(str(len(order.lines)), is_number=True),
            Cell(str(order.version), is_number=True),
            when(instant(order.create_time)),
            when(instant(order.update_time)),
        )
    )
