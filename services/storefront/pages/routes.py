"""The paths of the pages."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.storefront.pages import basket, cancellation, catalogue, checkout, order_page
from services.storefront.pages.order_list import order_list


async def _first_page(_: Request) -> Response:
    return RedirectResponse("/shop/", status_code=HTTPStatus.SEE_OTHER)


ROUTES = (
    Route("/", _first_page, methods=["GET"]),
    Route("/shop", _first_page, methods=["GET"]),
    Route("/shop/", catalogue.catalogue, methods=["GET"]),
    Route("/shop/items/{sku}", catalogue.item, methods=["GET"]),
    Route("/shop/basket", basket.basket, methods=["GET"]),
    Route("/shop/basket", basket.add, methods=["POST"]),
    Route("/shop/basket/change", basket.change, methods=["POST"]),
    Route("/shop/checkout", checkout.checkout, methods=["GET"]),
    Route("/shop/checkout", checkout.place, methods=["POST"]),
    Route("/shop/checkout/anew", checkout.begin_anew, methods=["POST"]),
    Route("/shop/orders", order_list, methods=["GET"]),
    Route("/shop/orders/{order_id}", order_page.order_page, methods=["GET"]),
    Route("/shop/orders/{order_id}/again", order_page.order_again, methods=["POST"]),
    Route("/shop/orders/{order_id}/cancel", cancellation.ask, methods=["GET"]),
    Route("/shop/orders/{order_id}/cancel", cancellation.cancel, methods=["POST"]),
)
