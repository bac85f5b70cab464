"""The paths of the pages."""

from starlette.routing import Route

from services.storefront.pages import basket, cancellation, catalogue, checkout, order_page
from services.storefront.pages.order_list import order_list

ROUTES = (
    Route("/shop/", catalogue.catalogue, methods=["GET"]),
    Route("/shop/items/{sku:path}", catalogue.item, methods=["GET"]),
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
