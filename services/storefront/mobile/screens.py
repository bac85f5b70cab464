"""The endpoints of the phone's screens."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.storefront.composing.home_screen import home_screen
from services.storefront.composing.order_screen import order_screen
from services.storefront.composing.parts import one_deadline
from services.storefront.composing.shop_reader import ShopReader
from services.storefront.mobile.screen_json import home_json, order_json
from services.storefront.settings import settings_of
from services.web.person import signed_in


@signed_in("CUSTOMER")
async def home(request: Request) -> Response:
    """The customer's numbers, last orders and their payments."""
    with one_deadline(request.app.state.clock, settings_of(request).screen_s):
        screen = await home_screen(ShopReader.of(request))
    return JSONResponse(home_json(screen))


@signed_in("CUSTOMER")
async def order(request: Request) -> Response:
    """One order with its story, payment, stock and mails."""
    with one_deadline(request.app.state.clock, settings_of(request).screen_s):
        screen = await order_screen(ShopReader.of(request), request.path_params["order_id"])
    return JSONResponse(order_json(screen))


ROUTES = (
    Route("/mobile/v1/home", home, methods=["GET"]),
    Route("/mobile/v1/orders/{order_id}", order, methods=["GET"]),
)
