"""The customer's orders: pages of them, filtered by state."""

from starlette.requests import Request
from starlette.responses import Response

from services.storefront.composing.shop_reader import ShopReader
from services.storefront.views.states import FILTERS, states_of
from services.web.pages import render
from services.web.person import signed_in

ORDERS_A_PAGE = 20


@signed_in("CUSTOMER")
async def order_list(request: Request) -> Response:
    """Show a page of orders, the newest first."""
    chosen, page = request.query_params.get("show", ""), request.query_params.get("page", "")
    orders, next_page = await ShopReader.of(request).orders(
        states=states_of(chosen), size=ORDERS_A_PAGE, page_token=page
    )
    return render(
        request,
        "orders.html",
        orders=orders,
        next_page=next_page,
        is_first_page=not page,
        chosen=chosen if chosen in FILTERS else "",
        filters=tuple(FILTERS),
    )
