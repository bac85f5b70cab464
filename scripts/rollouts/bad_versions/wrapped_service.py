"""Runs the order service with every call of its own methods wrapped."""

import runpy
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import grpc

_OF_ORDERS = "/tradepost.order.v1.OrderService/"

Wrap = Callable[[Any], Any]
_make_server = grpc.aio.server


class _Wrapping(grpc.aio.ServerInterceptor):
    """Stands outside of the service's own layers, as a proxy in front of it would."""

    def __init__(self, wrap: Wrap) -> None:
        self._wrap = wrap

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        method: Any = handler_call_details.method
        if handler is None or handler.unary_unary is None or not method.startswith(_OF_ORDERS):
            return handler
        return grpc.unary_unary_rpc_method_handler(
            self._wrap(handler.unary_unary),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


def unchanged(inner: Any) -> Any:
    """Wrap nothing."""
    return inner


def run_order_service(wrap: Wrap) -> None:
    """Serve orders until a signal, as `python -m services.order` does."""

    def make_server(**options: Any) -> grpc.aio.Server:
        interceptors = [_Wrapping(wrap), *options.pop("interceptors", ())]
        return _make_server(interceptors=interceptors, **options)

    grpc.aio.server = partial(make_server)
    runpy.run_module("services.order", run_name="__main__", alter_sys=True)
