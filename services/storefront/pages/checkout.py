"""The checkout: shows what is ordered at which price, and places the order once.

The form carries everything of the order: its lines, the total that the customer saw, and the
request_id. So sending it again, for whatever reason, is the same request, and the order service
answers with the same order.
"""

from http import HTTPStatus

import grpc
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from tradepost.order.v1 import order_service_pb2 as rpc

import discovery
from services.chassis.request.wire_values import to_money
from services.storefront.pages import session_basket
from services.storefront.pages.basket import priced, to_basket
from services.storefront.pages.forms import CheckoutForm, checkout_form
from services.storefront.pages.payment_methods import METHODS
from services.storefront.settings import settings_of
from services.web.pages import render
from services.web.person import person, signed_in
from services.web.services import metadata, services

# The order may have been placed all the same.
_UNKNOWN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
    }
)
_REUSED = "REQUEST_ID_REUSED"


@signed_in("CUSTOMER")
async def checkout(request: Request) -> Response:
    """Show the order before it is placed."""
    basket = await priced(request)
    if not basket.lines or basket.hindrances:
        return to_basket()
    request_id = session_basket.checkout_id(request.session, request.app.state.new_request_id)
    return render(request, "checkout.html", basket=basket, methods=METHODS, request_id=request_id)


@signed_in("CUSTOMER")
async def place(request: Request) -> Response:
    """Place the order, and lead to its page, whatever its state is by then."""
    async with request.form() as form:
        wanted = checkout_form(form)
    try:
        order_id = await _create(request, wanted)
    except grpc.aio.AioRpcError as error:
        info = discovery.error_info(error)
        if error.code() in _UNKNOWN:
            return _unknown(request, wanted)
        if info is not None and info.reason == _REUSED:
            return render(request, "already_ordered.html", status_code=HTTPStatus.CONFLICT)
        raise
    session_basket.empty(request.session)
    return RedirectResponse(f"/shop/orders/{order_id}", status_code=HTTPStatus.SEE_OTHER)


@signed_in("CUSTOMER")
async def begin_anew(request: Request) -> Response:
    """Make the basket another intention, after its checkout was used for an order."""
    basket = session_basket.quantities(request.session)
    session_basket.empty(request.session)
    session_basket.refill(request.session, basket.items())
    return to_basket()


async def _create(request: Request, wanted: CheckoutForm) -> str:
    """Return the id of the order. It waits a moment, so that most pages show a settled order."""
    who = person(request)
    create = rpc.CreateOrderRequest(
        request_id=wanted.request_id,
        customer_id="" if who is None else who.subject,
        lines=[rpc.CreateOrderLine(sku=sku, quantity=quantity) for sku, quantity in wanted.lines],
        payment_method=wanted.payment_method,
        expected_total=to_money(wanted.expected_total),
    )
    answer = await services(request).order_service.CreateOrder(
        create, timeout=settings_of(request).order_wait_s, metadata=metadata(request)
    )
    return answer.order.order_id


def _unknown(request: Request, wanted: CheckoutForm) -> Response:
    """Say that the outcome is not known, with the same form, which may be sent again."""
    return render(
        request,
        "checkout_unknown.html",
        status_code=HTTPStatus.SERVICE_UNAVAILABLE,
        wanted=wanted,
    )
