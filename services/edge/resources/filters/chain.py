"""The filters of both stages, in their order.

The outer stage decides whether a request may pass; it sees what the caller sent. The inner stage
translates it into gRPC. A cache makes requests of its own, which skip the filters behind it, so
the translating filters can't stand in the same stage.
"""

from collections.abc import Mapping

from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from google.protobuf.any_pb2 import Any as AnyMessage

from services.edge.contract.contract import Contract
from services.edge.contract.methods import PublicMethod
from services.edge.resources.filters.connect_bridge import connect_bridge
from services.edge.resources.filters.cors import cors
from services.edge.resources.filters.grpc_web import grpc_web
from services.edge.resources.filters.header_rules import header_rules, headers_of, token_found
from services.edge.resources.filters.json_transcoder import json_transcoder
from services.edge.resources.filters.rate_limit import rate_limit
from services.edge.resources.filters.request_size import request_size
from services.edge.resources.filters.response_cache import response_cache, reusable
from services.edge.resources.filters.role_check import role_check, roles_of
from services.edge.resources.filters.router import router
from services.edge.resources.filters.token_check import token_check
from services.edge.settings import EdgeSettings


def outer_filters(
    settings: EdgeSettings, *, with_tokens: bool
) -> list[http_connection_manager_pb2.HttpFilter]:
    """List the filters that every request passes."""
    return [
        # First, so that a page can also read the refusals of the filters behind it.
        *([cors()] if settings.origins else []),
        # Before the limits, which count by the subject of the verified token.
        *([token_check()] if with_tokens else []),
        # Before the cache, so that an answer from there counts too.
        rate_limit(settings, by_subject=with_tokens),
        # Before the cache, which doesn't know whose answer it keeps.
        *([role_check()] if with_tokens else []),
        # Behind those that refuse a caller, so that nobody unknown takes memory.
        request_size(settings),
        # Behind those that need the token, which it hides from the cache.
        header_rules(),
        # The last but one, because it sends requests on by itself and skips the filters behind it.
        *([response_cache(settings)] if settings.cache_folder else []),
        # Last: it sends the request on.
        router(),
    ]


def rules_of_route(
    method: PublicMethod, protocol: str, settings: EdgeSettings, *, with_tokens: bool
) -> Mapping[str, AnyMessage]:
    """Return what a route to the inner stage says to the outer filters, by their names."""
    is_reusable = bool(method.max_age_s and settings.cache_folder)
    return {
        **headers_of(protocol, hides_token=is_reusable),
        **(roles_of(method) if is_reusable and with_tokens else {}),
        **(reusable() if is_reusable else {}),
    }


def inner_filters(
    contract: Contract, settings: EdgeSettings
) -> list[http_connection_manager_pb2.HttpFilter]:
    """List the filters that translate a request into gRPC and the answer back."""
    return [
        # First: services look for the token under its usual name.
        *([token_found()] if settings.cache_folder else []),
        # Each of these recognizes its own requests by their headers and passes on all others.
        grpc_web(),
        connect_bridge(),
        # After the other two: what they made of a request is gRPC, which it passes on.
        json_transcoder(contract, settings),
        # Last: it sends the call to an instance.
        router(),
    ]
