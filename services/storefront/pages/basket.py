"""The basket: look at it, put items in, change quantities, take items out."""

from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.storefront.composing.shelf import pick
from services.storefront.composing.shop_reader import ShopReader
from services.storefront.pages import session_basket
from services.storefront.pages.forms import quantity_of, sku_of
from services.storefront.views.basket_view import BasketView, basket_view
from services.web.pages import render
from services.web.person import signed_in


@signed_in("CUSTOMER")
async def basket(request: Request) -> Response:
    """Show the basket at the prices of this moment."""
    is_full = request.query_params.get("full") == "1"
    return render(request, "basket.html", basket=await priced(request), is_full=is_full)


@signed_in("CUSTOMER")
async def add(request: Request) -> Response:
    """Put units of an item into the basket; who was in the catalogue stays at the item there."""
    async with request.form() as form:
        sku, quantity, query = sku_of(form), quantity_of(form), form.get("back")
    try:
        session_basket.add(request.session, sku, quantity)
    except session_basket.BasketFullError:
        return to_basket(is_full=True)
    if not isinstance(query, str):
        return to_basket()
    # Only the query is the form's own, so no form leads to another site.
    address = f"/shop/{'?' if query else ''}{query}#{quote(sku)}"
    return RedirectResponse(address, status_code=HTTPStatus.SEE_OTHER)


@signed_in("CUSTOMER")
async def change(request: Request) -> Response:
    """Let the basket have so many units of an item; none take it out."""
    async with request.form() as form:
        sku, quantity = sku_of(form), quantity_of(form)
    if sku in session_basket.quantities(request.session):
        session_basket.put(request.session, sku, quantity)
    return to_basket()


async def priced(request: Request) -> BasketView:
    """Return the session's basket at the prices and with the stock of this moment."""
    quantities = session_basket.quantities(request.session)
    shelf = await pick(ShopReader.of(request), sorted(quantities))
    return basket_view(quantities, shelf.items)


def to_basket(*, is_full: bool = False) -> Response:
    """Lead to the basket."""
    address = "/shop/basket?full=1" if is_full else "/shop/basket"
    return RedirectResponse(address, status_code=HTTPStatus.SEE_OTHER)
