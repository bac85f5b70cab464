"""Refuses requests that are too large, and keeps those that aren't whole away from the services.

The filter that translates JSON has a limit, too, but only for what it has not translated yet.
"""

from collections.abc import Mapping

from envoy.extensions.filters.http.buffer.v3 import buffer_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.wrappers_pb2 import UInt32Value

from services.edge.resources.packing import packed
from services.edge.settings import EdgeSettings

_NAME = "envoy.filters.http.buffer"
# What gRPC, gRPC-Web and Connect write before a message.
_FRAME_BYTES = 5


def request_size(settings: EdgeSettings) -> http_connection_manager_pb2.HttpFilter:
    """Return the filter; it holds a request until it is complete, as none of ours is a stream."""
    limit = UInt32Value(value=settings.max_request_bytes + _FRAME_BYTES)
    return http_connection_manager_pb2.HttpFilter(
        name=_NAME,
        typed_config=packed(buffer_pb2.Buffer(max_request_bytes=limit)),
    )


def of_any_size() -> Mapping[str, AnyMessage]:
    """Return what a route says that is answered at once, whatever else the caller sends."""
    return {_NAME: packed(buffer_pb2.BufferPerRoute(disabled=True))}
