"""The endpoints of the streams.

A stream ends with an `end` event when the order is final, or the person no longer signed in. One
that ends without it broke off: the client comes again with the id of its last event.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from http import HTTPStatus
from typing import TypeAlias

import grpc
from sse_starlette.event import ServerSentEvent
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tradepost.order.v1 import order_service_pb2 as rpc

from services.chassis.telemetry import logs
from services.storefront.composing.shop_reader import ShopReader
from services.storefront.live.events import end_event, mobile_event, page_event
from services.storefront.live.resumption import known_version
from services.storefront.live.versions import Watch, WatchCall, versions
from services.storefront.settings import settings_of
from services.web.live import live
from services.web.person import signed_in

ToEvent: TypeAlias = Callable[[rpc.WatchOrderResponse], ServerSentEvent]


@signed_in("CUSTOMER")
async def page_stream(request: Request) -> Response:
    """Stream what the page of an order has to change."""
    return await _stream(request, partial(page_event, request))


@signed_in("CUSTOMER")
async def mobile_stream(request: Request) -> Response:
    """Stream the versions of an order as JSON."""
    return await _stream(request, mobile_event)


async def _stream(request: Request, to_event: ToEvent) -> Response:
    """Check whose order it is, and which version is known, before the stream begins."""
    reader, known = ShopReader.of(request), known_version(request)
    order = await reader.own_order(request.path_params["order_id"])
    if known > order.version:
        raise HTTPException(HTTPStatus.BAD_REQUEST)

    def watch(after_version: int) -> WatchCall:
        return reader.watch(order.order_id, after_version=after_version)

    return live(request, _events(request, watch, known, to_event))


async def _events(
    request: Request, watch: Watch, known: int, to_event: ToEvent
) -> AsyncGenerator[ServerSentEvent, None]:
    state = request.app.state
    told = versions(
        watch,
        after_version=known,
        patience_s=settings_of(request).live_patience_s,
        clock=state.clock,
        rng=state.rng,
    )
    try:
        async with aclosing(told):
            async for message in told:
                yield to_event(message)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAUTHENTICATED:
            yield end_event("SIGNED_OUT")
        else:
            logs.get_logger("live").warning("stream_broke_off", cause=error.code().name)
        return
    yield end_event("FINAL")


ROUTES = (
    Route("/shop/orders/{order_id}/live", page_stream, methods=["GET"]),
    Route("/mobile/v1/orders/{order_id}/live", mobile_stream, methods=["GET"]),
)
