"""The filters of both stages, in their order.

The outer stage decides whether a request may pass; it sees what the caller sent. The inner stage
translates it into gRPC. A cache makes requests of its own, which skip the filters behind it, so
the translating filters can't stand in the same stage.
"""

from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)

from services.edge.contract.contract import Contract
from services.edge.resources.filters.connect_bridge import connect_bridge
from services.edge.resources.filters.grpc_web import grpc_web
from services.edge.resources.filters.json_transcoder import json_transcoder
from services.edge.resources.filters.router import router
from services.edge.settings import EdgeSettings


def outer_filters() -> list[http_connection_manager_pb2.HttpFilter]:
    """List the filters that every request passes."""
    return [
        # Last: it sends the request on.
        router(),
    ]


def inner_filters(
    contract: Contract, settings: EdgeSettings
) -> list[http_connection_manager_pb2.HttpFilter]:
    """List the filters that translate a request into gRPC and the answer back."""
    return [
        # Each of these recognizes its own requests by their headers and passes on all others.
        grpc_web(),
        connect_bridge(),
        # After the other two: what they made of a request is gRPC, which it passes on.
        json_transcoder(contract, settings),
        # Last: it sends the call to an instance.
        router(),
    ]
