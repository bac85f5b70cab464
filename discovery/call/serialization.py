"""Messages are turned into bytes, and back, by this package and not inside grpc.aio.

grpc.aio swallows what a serializer raises, sends an empty message and may answer OK
(grpc/grpc#34894); what a deserializer raises becomes a response of None.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import grpc

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")

Serializer = Callable[[RequestT], bytes]
Deserializer = Callable[[bytes], ResponseT]


def serializer_of(function: Serializer[Any] | None) -> Serializer[Any]:
    """The given serializer; without one, messages are bytes already. What it raises is raised."""
    return unchanged if function is None else function


def deserializer_of(function: Deserializer[Any] | None) -> Deserializer[Any]:
    """The given deserializer; without one, messages stay bytes."""
    return unchanged if function is None else function


def deserialize(
    function: Deserializer[ResponseT], message: bytes, trailing: grpc.aio.Metadata | None = None
) -> ResponseT:
    """The response. Raises AioRpcError INTERNAL, as other gRPC languages do, where it is none."""
    try:
        return function(message)
    except Exception as error:
        raise undeserialized(error, trailing) from error


def undeserialized(
    error: Exception, trailing: grpc.aio.Metadata | None = None
) -> grpc.aio.AioRpcError:
    """The status of a call whose response was none."""
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
    """For what is in the right form already."""
    return message
