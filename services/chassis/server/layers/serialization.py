"""Converts bytes to messages and back inside the stack, where errors are still mapped.

grpc.aio answers bytes that it cannot read with INTERNAL, and a response that it cannot serialize
with an empty message and OK (grpc/grpc#34894). Here the first becomes INVALID_ARGUMENT, and the
second INTERNAL.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from services.chassis.request.context import Context
from services.chassis.server.errors import MalformedMessageError
from services.chassis.server.layers.layer import Behavior, ServedMethod


def serialization(method: ServedMethod, inner: Behavior) -> Behavior:
    """Call the servicer with messages; errors of conversion are mapped like all others."""
    below = _with_messages(method, inner)
    return _streaming(method, below) if method.response_streaming else _unary(method, below)


def _with_messages(method: ServedMethod, inner: Behavior) -> Behavior:
    if method.request_streaming:
        return lambda requests, context: inner(_decoded(method, requests), context)
    return lambda request, context: inner(_decode(method, request), context)


def _unary(method: ServedMethod, inner: Behavior) -> Behavior:
    serialize = method.serialize

    async def serialized(request: Any, context: Context) -> bytes:
        return serialize(await inner(request, context))

    return serialized


def _streaming(method: ServedMethod, inner: Behavior) -> Behavior:
    serialize = method.serialize

    async def serialized(request: Any, context: Context) -> AsyncIterator[bytes]:
        async with aclosing(inner(request, context)) as messages:
            async for message in messages:
                yield serialize(message)

    return serialized


async def _decoded(method: ServedMethod, requests: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _decode(method, request)


def _decode(method: ServedMethod, request: bytes) -> Any:
    try:
        return method.deserialize(request)
    except Exception as error:  # protobuf raises DecodeError, ValueError and others
        raise MalformedMessageError(method.path) from error
