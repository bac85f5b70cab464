"""What every call passes on its way to a servicer, as a page of prose."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc

from services.chassis.request.context import Context
from services.chassis.server.layers.admission import Admission
from services.chassis.server.layers.deadline import Deadline
from services.chassis.server.layers.error_mapping import ErrorMapping
from services.chassis.server.layers.layer import (
    INVOCATION_METADATA,
    Behavior,
    Handler,
    Layer,
    Method,
)
from services.chassis.server.layers.serialization import serialization
from services.chassis.server.layers.trace import Trace


def layers(
    *, trace: Trace, error_mapping: ErrorMapping, deadline: Deadline, admission: Admission
) -> list[Layer]:
    """The server stack from the outside in."""
    return [
        # Outermost: every refusal below, too, belongs to somebody's story and gets its line.
        trace,
        # Above all that refuses, or a refusal would reach the caller as UNKNOWN without a reason.
        error_mapping,
        # Above admission, or calls nobody waits for any more would take places from the living.
        deadline,
        # Above deserialization, or shedding load would cost as much as bearing it.
        admission,
        # Innermost: only what is admitted is read; what can't be read or written is still mapped.
        serialization,
    ]


class Stack(grpc.aio.ServerInterceptor):
    """Wraps each handler in the layers, once per method.

    A gRPC interceptor sees neither deadline nor context, so it is only the place where handlers
    can be exchanged. The handler it answers takes and gives bytes; the stack does the rest.
    """

    def __init__(self, stack: list[Layer]) -> None:
        self._stack = stack
        self._handlers: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Answer the wrapped handler; None for a method nobody serves (gRPC answers that)."""
        INVOCATION_METADATA.set(handler_call_details.invocation_metadata or ())
        path = handler_call_details.method
        handler = self._handlers.get(path)
        if handler is None:
            found = await continuation(handler_call_details)
            if found is None:
                return None
            handler = self._handlers[path] = wrap(found, path, self._stack)
        return handler


def wrap(handler: Handler, path: str, stack: list[Layer]) -> Handler:
    """The same handler below the layers."""
    method = Method(
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


def _is_asynchronous(behavior: Behavior, method: Method) -> bool:
    if method.response_streaming:
        return inspect.isasyncgenfunction(behavior)
    return inspect.iscoroutinefunction(behavior)


def _refuse_to_block(_request: object, _context: Context) -> NoReturn:
    """Stand in for a synchronous handler, or a method its servicer doesn't have: a bug of ours."""
    message = "a handler is a coroutine function, a streaming one an async generator"
    raise TypeError(message)


def _kind(
    handler: Handler,
) -> tuple[Behavior, Callable[[Behavior], Handler]]:
    """The one behavior a handler has, and the factory of its kind."""
    kinds: list[tuple[Any, Any]] = [
        (handler.unary_unary, grpc.unary_unary_rpc_method_handler),
        (handler.unary_stream, grpc.unary_stream_rpc_method_handler),
        (handler.stream_unary, grpc.stream_unary_rpc_method_handler),
        (handler.stream_stream, grpc.stream_stream_rpc_method_handler),
    ]
    return next(kind for kind in kinds if kind[0] is not None)
