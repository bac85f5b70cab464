"""Translates the Connect protocol (POST, streams, and GET for reads) into gRPC."""

from envoy.extensions.filters.http.connect_grpc_bridge.v3 import config_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)

from services.edge.resources.packing import packed

NAME = "envoy.filters.http.connect_grpc_bridge"


def connect_bridge() -> http_connection_manager_pb2.HttpFilter:
    """Return the filter; it has no settings.

    It passes the encoding of messages on, and our services read binary messages only.
    """
    return http_connection_manager_pb2.HttpFilter(
        name=NAME,
        typed_config=packed(config_pb2.FilterConfig()),
    )
