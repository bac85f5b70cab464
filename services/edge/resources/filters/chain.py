"""The filters of both stages, in their order.

The outer stage decides whether a request may pass, translates it into gRPC and sends it on. Only
a request whose answer may be reused is translated in an inner stage: the cache asks by itself, and
what it asks skips the filters behind it.
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
from services.edge.resources.filters.header_rules import header_rules, headers_of, token_found
from services.edge.resources.filters.json_transcoder import json_transcoder
from services.edge.resources.filters.rate_limit import rate_limit
from services.edge.resources.filters.request_size import request_size
from services.edge.resources.filters.response_cache import response_cache, reusable
from services.edge.resources.filters.role_check import role_check, roles_of
from services.edge.resources.filters.router import router
from services.edge.resources.filters.token_check import token_check
from services.edge.resources.filters.translation import translated_from, translation
from services.edge.settings import EdgeSettings


def outer_filters(
    contract: Contract, settings: EdgeSettings, *, with_tokens: bool
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
        # Before the translation: its key is the path that the caller sent.
        *([response_cache(settings)] if settings.cache_folder else []),
        # Behind all that looks at what the caller sent.
        *translation(contract, settings),
        # Last: it sends the request on.
        router(),
    ]


def rules_of_route(
    method: PublicMethod, protocol: str, *, is_reusable: bool, with_tokens: bool
) -> Mapping[str, AnyMessage]:
    """Return what the route of requests to be translated says to the outer filters, by their names.

    Those whose answer may be reused pass the cache, and are translated in the inner stage.
    """
    headers = headers_of(protocol, hides_token=is_reusable)
    if not is_reusable:
        return {**headers, **translated_from(protocol)}
    return {**headers, **(roles_of(method) if with_tokens else {}), **reusable()}


def inner_filters(
    contract: Contract, settings: EdgeSettings
) -> list[http_connection_manager_pb2.HttpFilter]:
    """List the filters that translate what the cache asks for, and the answer back."""
    return [
        # First: services look for the token under its usual name.
        token_found(),
        # Each of these recognizes its own requests by their headers and passes on all others.
        connect_bridge(),
        json_transcoder(contract, settings),
        # Last: it sends the call to an instance.
        router(),
    ]
