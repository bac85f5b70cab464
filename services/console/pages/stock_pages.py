"""The page of stock: levels, holds and movements."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from tradepost.inventory.v1.inventory_service_pb2 import (
    AdjustStockRequest,
    BatchGetStockRequest,
    ListStockRequest,
)

from services.console.actions import stock_actions
from services.console.pages.action_endpoint import action_route
from services.console.pages.menu import for_page
from services.console.pages.viewer import PREFIX, asker_of, console_of, show
from services.console.reading.asker import is_allowed
from services.console.reading.gathering import Gathering
from services.console.views.query_values import QueryValues
from services.console.views.stock_view import (
    PAGE_SIZE,
    adjust_form,
    holds_request,
    holds_table,
    levels_table,
    movements_request,
    movements_table,
    stock_filter,
)


@for_page("stock")
async def stock(request: Request) -> Response:
    """Levels, reservations, and the movements of what the query names."""
    values, console = QueryValues(request.query_params), console_of(request)
    asker, inventory, sku = asker_of(request), console.stubs.inventory, values.text("sku")
    every = ListStockRequest(page_size=PAGE_SIZE, page_token=values.query.get("page", ""))
    async with Gathering(asker) as parts:
        if sku:
            one = parts.ask("level", inventory.BatchGetStock, BatchGetStockRequest(skus=[sku]))
        else:
            listed = parts.ask("levels", inventory.ListStock, every)
        holds = parts.ask("reservations", inventory.ListReservations, holds_request(values))
        moved = parts.ask("movements", inventory.ListStockMovements, movements_request(values))
    answer = (one if sku else listed).value
    token = "" if sku or listed.value is None else listed.value.next_page_token
    is_adjustable = sku and is_allowed(asker.roles, AdjustStockRequest)
    return show(
        request,
        "stock.html",
        fields=stock_filter(values.query),
        levels=levels_table(answer.stock if answer else (), values.query, token),
        holds=holds_table(holds.value.reservations if holds.value else ()),
        movements=movements_table(
            moved.value.movements if moved.value else (),
            values.query,
            moved.value.next_page_token if moved.value else "",
        ),
        adjust=adjust_form(sku, console.new_request_id()) if is_adjustable else None,
        missing=parts.missing,
        faults=values.faults,
    )


ROUTES: tuple[BaseRoute, ...] = (
    Route(f"{PREFIX}/stock", stock),
    action_route("stock/adjust", stock_actions.adjust, AdjustStockRequest),
)
