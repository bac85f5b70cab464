"""Sends a request to the cluster of its route."""

from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)

from services.edge.resources.packing import packed


def router() -> http_connection_manager_pb2.HttpFilter:
    """Return the filter without headers of Envoy's own, which would tell callers about us."""
    return http_connection_manager_pb2.HttpFilter(
        name="envoy.filters.http.router",
        typed_config=packed(router_pb2.Router(suppress_envoy_headers=True)),
    )
