"""Handles a unary RPC by a function, for instances that answer a few methods of a contract."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc


def unary_handler(
    answer: Callable[[Any, Any], Awaitable[Any]], request: Any, response: Any
) -> "grpc.RpcMethodHandler[Any, Any]":
    """The handler that calls `answer` with a message of type `request`, and the call's context."""
    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=request.FromString,
        response_serializer=response.SerializeToString,
    )
