"""Turns bytes into messages and back in our own stack, where an error can still be answered.

grpc.aio answers bytes that are no message with INTERNAL, and a message that can't be serialized
with an empty one and OK (grpc/grpc#34894). Here the first is the caller's error and the second
ours, before anything is sent.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from services.chassis.request.context import Context
from services.chassis.server.errors import MalformedMessageError
from services.chassis.server.layers.layer import Behavior, Method


def serialization(method: Method, inner: Behavior) -> Behavior:
    """Stand right above the servicer; what it raises is mapped like everything else."""
    below = _with_messages(method, inner)
    return _streaming(method, below) if method.response_streaming else _unary(method, below)


def _with_messages(method: Method, inner: Behavior) -> Behavior:
    if method.request_streaming:
        return lambda requests, context: inner(_decoded(method, requests), context)
    return lambda request, context: inner(_decode(method, request), context)


def _unary(method: Method, inner: Behavior) -> Behavior:
    serialize = method.serialize

    async def serialized(request: Any, context: Context) -> bytes:
        return serialize(await inner(request, context))

    return serialized


def _streaming(method: Method, inner: Behavior) -> Behavior:
    serialize = method.serialize

    async def serialized(request: Any, context: Context) -> AsyncIterator[bytes]:
        async with aclosing(inner(request, context)) as messages:
            async for message in messages:
                yield serialize(message)

    return serialized


async def _decoded(method: Method, requests: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _decode(method, request)


def _decode(method: Method, request: bytes) -> Any:
    try:
        return method.deserialize(request)
    except Exception as error:  # a deserializer is foreign code: DecodeError, ValueError, ...
        raise MalformedMessageError(method.path) from error
