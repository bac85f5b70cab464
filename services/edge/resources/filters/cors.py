"""Lets pages of chosen origins call the edge from a browser (CORS)."""

from collections.abc import Mapping

from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from envoy.type.matcher.v3 import string_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.wrappers_pb2 import BoolValue

from services.edge.resources.packing import packed
from services.edge.settings import EdgeSettings

_NAME = "envoy.filters.http.cors"
_REMEMBERED_S = 7_200
# What clients of the four protocols send.
_REQUEST_HEADERS = (
    "authorization",
    "connect-protocol-version",
    "connect-timeout-ms",
    "content-type",
    "grpc-timeout",
    "traceparent",
    "x-correlation-id",
    "x-grpc-web",
    "x-user-agent",
)
# What a page may read of an answer, besides the few headers that every page may.
_RESPONSE_HEADERS = (
    "grpc-message",
    "grpc-status",
    "grpc-status-details-bin",
    "retry-after",
    "x-correlation-id",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
)


def cors() -> http_connection_manager_pb2.HttpFilter:
    """Return the filter; which origins it lets in is said by `cors_policy`."""
    return http_connection_manager_pb2.HttpFilter(name=_NAME, typed_config=packed(cors_pb2.Cors()))


def cors_policy(settings: EdgeSettings) -> Mapping[str, AnyMessage]:
    """Return the policy of all routes; without origins in the settings it lets in none.

    Tokens are sent by the page itself, so cookies and other credentials of the browser are not
    let in.
    """
    return {
        _NAME: packed(
            cors_pb2.CorsPolicy(
                allow_origin_string_match=[
                    string_pb2.StringMatcher(exact=origin) for origin in settings.origins
                ],
                allow_methods="GET, POST",
                allow_headers=", ".join(_REQUEST_HEADERS),
                expose_headers=", ".join(_RESPONSE_HEADERS),
                max_age=str(_REMEMBERED_S),
                allow_credentials=BoolValue(value=False),
                # A preflight of another origin is answered here, without letting the origin in.
                forward_not_matching_preflights=BoolValue(value=False),
            )
        )
    }
