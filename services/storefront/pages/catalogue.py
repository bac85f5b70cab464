"""The catalogue with search and pages, and the page of one item. Anybody who is signed in may look.

The services answer nobody without a token, so there is no catalogue for strangers.
"""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.storefront.composing.shelf import pick, search
from services.storefront.composing.shop_reader import ShopReader
from services.storefront.pages.forms import search_of
from services.storefront.pages.session_basket import quantities
from services.web.pages import render
from services.web.person import signed_in

ITEMS_A_PAGE = 24


@signed_in("CUSTOMER")
async def catalogue(request: Request) -> Response:
    """Show a page of the items that match the search."""
    query = search_of(request)
    shelf = await search(
        ShopReader.of(request),
        query=query,
        size=ITEMS_A_PAGE,
        page_token=request.query_params.get("page", ""),
    )
    return render(
        request,
        "catalogue.html",
        query=query,
        shelf=shelf,
        is_first_page=not request.query_params.get("page"),
        basket=quantities(request.session),
    )


@signed_in("CUSTOMER")
async def item(request: Request) -> Response:
    """Show one item."""
    shelf = await pick(ShopReader.of(request), [request.path_params["sku"]])
    if not shelf.items:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return render(
        request,
        "item.html",
        item=shelf.items[0],
        is_stock_known=shelf.is_stock_known,
        basket=quantities(request.session),
    )
