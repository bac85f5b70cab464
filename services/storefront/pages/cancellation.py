"""Cancels an order: asks first, on a page of its own that works without JavaScript."""

from http import HTTPStatus

import grpc
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from tradepost.order.v1 import order_service_pb2 as rpc

from services.storefront.composing.shop_reader import ShopReader
from services.storefront.settings import settings_of
from services.storefront.views.order_view import OrderView
from services.web.pages import render
from services.web.person import signed_in
from services.web.services import metadata, services

MAX_REASON_CHARACTERS = 200


@signed_in("CUSTOMER")
async def ask(request: Request) -> Response:
    """Ask whether the order is to be cancelled."""
    order = await _own(request)
    if not order.is_cancellable:
        return _to_order(order)
    new_request_id: str = request.app.state.new_request_id()
    return render(request, "cancel.html", order=order, request_id=new_request_id)


@signed_in("CUSTOMER")
async def cancel(request: Request) -> Response:
    """Cancel it, and lead back to its page."""
    async with request.form() as form:
        request_id, reason = str(form.get("request_id", "")), str(form.get("reason", ""))
    order = await _own(request)
    wanted = rpc.CancelOrderRequest(
        request_id=request_id,
        order_id=order.order_id,
        reason=" ".join(reason.split())[:MAX_REASON_CHARACTERS],
    )
    try:
        await services(request).order_service.CancelOrder(
            wanted, timeout=settings_of(request).order_wait_s, metadata=metadata(request)
        )
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
            raise
        return render(request, "too_late.html", status_code=HTTPStatus.CONFLICT, order=order)
    return _to_order(order)


async def _own(request: Request) -> OrderView:
    return await ShopReader.of(request).own_order(request.path_params["order_id"])


def _to_order(order: OrderView) -> Response:
    address = f"/shop/orders/{order.order_id}"
    return RedirectResponse(address, status_code=HTTPStatus.SEE_OTHER)
