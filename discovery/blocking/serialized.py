"""Requests are turned into bytes once, before the first attempt."""

from collections.abc import Callable
from typing import Any

import grpc

from discovery.blocking.errors import EndedCallError


def serialized(serializer: Callable[[Any], bytes] | None, request: Any) -> bytes:
    """The request's bytes. Raises what grpc does where there are none: INTERNAL."""
    try:
        message: bytes = request if serializer is None else serializer(request)
    except Exception as error:
        raise EndedCallError(grpc.StatusCode.INTERNAL, "Exception serializing request!") from error
    return message
