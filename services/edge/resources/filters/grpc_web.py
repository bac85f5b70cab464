"""Translates gRPC-Web, whose status stands at the end of the body, into gRPC."""

from envoy.extensions.filters.http.grpc_web.v3 import grpc_web_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)

from services.edge.resources.packing import packed

NAME = "envoy.filters.http.grpc_web"


def grpc_web() -> http_connection_manager_pb2.HttpFilter:
    """Return the filter; it has no settings."""
    return http_connection_manager_pb2.HttpFilter(
        name=NAME, typed_config=packed(grpc_web_pb2.GrpcWeb())
    )
