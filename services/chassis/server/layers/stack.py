"""The stack of layers that every call passes on its way to a servicer."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc

from services.chassis.request.context import Context
from services.chassis.server.layers.access import Access
from services.chassis.server.layers.admission import Admission
from services.chassis.server.layers.cache_control import cache_control
from services.chassis.server.layers.call_metrics import CallMetrics
from services.chassis.server.layers.deadline import Deadline
from services.chassis.server.layers.error_mapping import ErrorMapping
from services.chassis.server.layers.layer import (
    INVOCATION_METADATA,
    Behavior,
    RpcHandler,
    ServedMethod,
    ServerLayer,
)
from services.chassis.server.layers.owner_check import owner_check
from services.chassis.server.layers.peer_check import PeerCheck
from services.chassis.server.layers.reason import reason
from services.chassis.server.layers.serialization import serialization
from services.chassis.server.layers.trace import Trace


def layers(
    *,
    call_metrics: CallMetrics | None,
    trace: Trace,
    error_mapping: ErrorMapping,
    deadline: Deadline,
    peer_check: PeerCheck | None,
    access: Access | None,
    admission: Admission,
) -> list[ServerLayer]:
    """List the layers from the outermost to the innermost; a layer that is None is left out."""
    listed: list[ServerLayer | None] = [
        # Outermost, so that the measured time is all that the server spends on the call.
        call_metrics,
        # Above all that refuses, so that refusals also have a correlation and a log line.
        trace,
        # Above every layer that refuses; otherwise a refusal would be UNKNOWN and without a reason.
        error_mapping,
        # Above admission; otherwise calls whose caller has given up would take slots from others.
        deadline,
        # Above admission; otherwise calls of a denied service would take slots from others.
        peer_check,
        # Above admission; otherwise callers who may call nothing would take slots from others.
        access,
        # Above deserialization; otherwise a refused call would cost as much as an accepted one.
        admission,
        # Below every layer that refuses reads, because a refusal must not be reused.
        cache_control,
        # Below admission, so that only admitted calls are read; its errors are still mapped.
        serialization,
        # Below serialization: it reads and fills a field of the messages that `access` limits.
        None if access is None else owner_check,
        # Innermost: it reads a field of the request. Only methods that ask for a reason have it.
        reason,
    ]
    return [layer for layer in listed if layer is not None]


class Stack(grpc.aio.ServerInterceptor):
    """Wraps each handler in the layers, once per method.

    A gRPC interceptor sees neither the deadline nor the context of a call. So this one only
    replaces the handler by one that takes and returns bytes, and the layers do the rest.
    """

    def __init__(self, stack: list[ServerLayer]) -> None:
        self._stack = stack
        self._handlers: dict[str, RpcHandler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[RpcHandler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> RpcHandler | None:
        """Return the wrapped handler; None for an unknown method, which gRPC answers itself."""
        INVOCATION_METADATA.set(handler_call_details.invocation_metadata or ())
        path = handler_call_details.method
        handler = self._handlers.get(path)
        if handler is None:
            found = await continuation(handler_call_details)
            if found is None:
                return None
            handler = self._handlers[path] = wrap(found, path, self._stack)
        return handler


def wrap(handler: RpcHandler, path: str, stack: list[ServerLayer]) -> RpcHandler:
    """Wrap a handler in the layers."""
    method = ServedMethod(
        path=path,
        request_streaming=handler.request_streaming,
        response_streaming=handler.response_streaming,
        deserialize=handler.request_deserializer or bytes,
        serialize=handler.response_serializer or bytes,
    )
    behavior, factory = _kind(handler)
    if not _is_asynchronous(behavior, method):
        behavior = _refuse_to_block
    for layer in reversed(stack):
        behavior = layer(method, behavior)
    return factory(behavior)


def _is_asynchronous(behavior: Behavior, method: ServedMethod) -> bool:
    if method.response_streaming:
        return inspect.isasyncgenfunction(behavior)
    return inspect.iscoroutinefunction(behavior)


def _refuse_to_block(_request: object, _context: Context) -> NoReturn:
    """Replace a handler that is synchronous, or missing in its servicer: a bug of ours."""
    message = "a handler must be a coroutine function, or an async generator if it streams"
    raise TypeError(message)


def _kind(
    handler: RpcHandler,
) -> tuple[Behavior, Callable[[Behavior], RpcHandler]]:
    """Return the one behavior that a handler has, and the factory of its kind."""
    kinds: list[tuple[Any, Any]] = [
        (handler.unary_unary, grpc.unary_unary_rpc_method_handler),
        (handler.unary_stream, grpc.unary_stream_rpc_method_handler),
        (handler.stream_unary, grpc.stream_unary_rpc_method_handler),
        (handler.stream_stream, grpc.stream_stream_rpc_method_handler),
    ]
    return next(kind for kind in kinds if kind[0] is not None)
