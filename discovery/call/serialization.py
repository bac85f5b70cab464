"""Serializes and deserializes messages in this package and not inside grpc.aio.

When a serializer raises, grpc.aio drops the error, sends an empty message and may return OK
(grpc/grpc#34894). When a deserializer raises, it returns None as the response.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import grpc

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")

Serializer = Callable[[RequestT], bytes]
Deserializer = Callable[[bytes], ResponseT]


def serializer_of(function: Serializer[Any] | None) -> Serializer[Any]:
    """Return the given serializer; without one, messages must be bytes already."""
    return unchanged if function is None else function


def deserializer_of(function: Deserializer[Any] | None) -> Deserializer[Any]:
    """Return the given deserializer; without one, messages stay bytes."""
    return unchanged if function is None else function


def deserialize(
    function: Deserializer[ResponseT], message: bytes, trailing: grpc.aio.Metadata | None = None
) -> ResponseT:
    """Return the response.

    Raises AioRpcError INTERNAL if the bytes aren't one, as gRPC does in other languages.
    """
    try:
        return function(message)
    except Exception as error:
        raise undeserialized(error, trailing) from error


def undeserialized(
    error: Exception, trailing: grpc.aio.Metadata | None = None
) -> grpc.aio.AioRpcError:
    """Return the status of a call whose response could not be deserialized."""
    failure = grpc.aio.AioRpcError(
        grpc.StatusCode.INTERNAL,
        grpc.aio.Metadata(),
        trailing or grpc.aio.Metadata(),
        "Exception deserializing response!",
        repr(error),
    )
    failure.__cause__ = error
    return failure


def unchanged(message: Any) -> Any:
    """Return the message as it is: the serializer of messages that need none."""
    return message
