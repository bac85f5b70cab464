"""Refuses requests that are too large, and keeps those that aren't whole away from the services.

The filter that translates JSON has a limit, too, but only for what it has not translated yet.
"""

from envoy.extensions.filters.http.buffer.v3 import buffer_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from google.protobuf.wrappers_pb2 import UInt32Value

from services.edge.resources.packing import packed
from services.edge.settings import EdgeSettings

# What gRPC, gRPC-Web and Connect write before a message.
_FRAME_BYTES = 5


def request_size(settings: EdgeSettings) -> http_connection_manager_pb2.HttpFilter:
    """Return the filter; it holds a request until it is complete, as none of ours is a stream."""
    limit = UInt32Value(value=settings.max_request_bytes + _FRAME_BYTES)
    return http_connection_manager_pb2.HttpFilter(
        name="envoy.filters.http.buffer",
        typed_config=packed(buffer_pb2.Buffer(max_request_bytes=limit)),
    )
