"""The page of one order. It follows the order live; without JavaScript, a link loads it again."""

from starlette.requests import Request
from starlette.responses import Response

from services.storefront.composing.order_screen import order_screen
from services.storefront.composing.parts import one_deadline
from services.storefront.composing.shop_reader import ShopReader
from services.storefront.pages import session_basket
from services.storefront.pages.basket import to_basket
from services.storefront.settings import settings_of
from services.web.pages import render
from services.web.person import signed_in


@signed_in("CUSTOMER")
async def order_page(request: Request) -> Response:
    """Show the order with its story, money and mails."""
    with one_deadline(request.app.state.clock, settings_of(request).screen_s):
        screen = await order_screen(ShopReader.of(request), request.path_params["order_id"])
    return render(request, "order.html", screen=screen, order=screen.order)


@signed_in("CUSTOMER")
async def order_again(request: Request) -> Response:
    """Put the order's items into the basket."""
    order = await ShopReader.of(request).own_order(request.path_params["order_id"])
    try:
        session_basket.refill(request.session, [(line.sku, line.quantity) for line in order.lines])
    except session_basket.BasketFullError:
        return to_basket(is_full=True)
    return to_basket()
