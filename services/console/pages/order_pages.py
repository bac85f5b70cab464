"""The pages of orders: the list, and one order with its timeline."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from tradepost.order.admin.v1.saga_admin_service_pb2 import RetrySagaRequest
from tradepost.order.v1.order_service_pb2 import (
    CancelOrderRequest,
    FulfillOrderRequest,
    GetOrderRequest,
)
from tradepost.payment.v1.payment_service_pb2 import RefundPaymentRequest

from services.console.actions import order_actions
from services.console.pages.action_endpoint import action_route
from services.console.pages.menu import for_page
from services.console.pages.viewer import PREFIX, asker_of, console_of, for_staff, show
from services.console.reading.gathering import Gathering
from services.console.reading.order_reading import read_order
from services.console.views.order_view import order_view
from services.console.views.orders_view import orders_filter, orders_request, orders_table
from services.console.views.query_values import QueryValues


@for_page("orders")
async def orders(request: Request) -> Response:
    """The list of orders; an id in the query leads to that order."""
    values = QueryValues(request.query_params)
    if order_id := values.text("id"):
        return RedirectResponse(f"{PREFIX}/orders/{order_id}")
    asked = orders_request(values)
    async with Gathering(asker_of(request)) as parts:
        listed = parts.ask("orders", console_of(request).stubs.orders.ListOrders, asked)
    found = listed.value.orders if listed.value else ()
    token = listed.value.next_page_token if listed.value else ""
    return show(
        request,
        "orders.html",
        fields=orders_filter(values.query),
        table=orders_table(found, values.query, token),
        missing=parts.missing,
        faults=values.faults,
    )


@for_staff(GetOrderRequest)
async def order(request: Request) -> Response:
    """One order, now or as it was at a version."""
    values = QueryValues(request.query_params)
    version = values.whole("version", least=1)
    asker, console = asker_of(request), console_of(request)
    order_id = request.path_params["order_id"]
    reading = await read_order(console.stubs, asker, order_id, as_of_version=version)
    view = order_view(
        reading,
        roles=asker.roles,
        new_request_id=console.new_request_id,
        sources=frozenset(request.query_params.getlist("source")),
    )
    return show(request, "order.html", view=view, missing=view.missing, faults=values.faults)


ROUTES: tuple[BaseRoute, ...] = (
    Route(f"{PREFIX}/orders", orders),
    Route(f"{PREFIX}/orders/{{order_id}}", order),
    action_route("orders/{order_id}/cancel", order_actions.cancel, CancelOrderRequest),
    action_route("orders/{order_id}/fulfill", order_actions.fulfill, FulfillOrderRequest),
    action_route("orders/{order_id}/refund", order_actions.refund, RefundPaymentRequest),
    action_route("orders/{order_id}/retry", order_actions.retry, RetrySagaRequest),
)
