"""RDS of the outer stage: which requests from outside are served, and where they go.

Every public method has a route for gRPC, one for its gRPC path by other protocols (gRPC-Web,
Connect, JSON) and one for its REST path. They lead to its service, and only reads whose answers may
be reused to the inner stage. Paths of web applications lead to these. Everything else is answered
with 404.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.type.matcher.v3 import regex_pb2
from google.protobuf.wrappers_pb2 import UInt32Value

from services.edge.contract.contract import Contract
from services.edge.contract.methods import PublicMethod
from services.edge.resources.filters.chain import rules_of_route
from services.edge.resources.filters.cors import cors_policy
from services.edge.resources.filters.rate_limit import rate_of
from services.edge.resources.filters.request_size import of_any_size
from services.edge.resources.headers import (
    ANY_GRPC_TYPE,
    GRPC_WEB_TYPE,
    content_type,
    exactly,
    other_content_type,
    present,
)
from services.edge.resources.names import (
    CONNECT,
    GRPC_WEB,
    PUBLIC_ROUTES,
    REST,
    TRANSLATING_CLUSTER,
)
from services.edge.resources.packing import seconds
from services.edge.resources.routes.call_rules import to_service
from services.edge.resources.routes.documents import documents, longest
from services.edge.resources.routes.page_routes import page_routes
from services.edge.resources.routes.path_patterns import by_specificity, pattern
from services.edge.settings import EdgeSettings

_NOT_FOUND = 404


def public_routes(
    contract: Contract, settings: EdgeSettings, *, with_tokens: bool
) -> route_pb2.RouteConfiguration:
    """Return the routes of the public listener."""
    methods = contract.methods
    translated = [
        *(each for method in methods for each in _by_grpc_path(method)),
        *(_by_rest_path(method) for method in sorted(methods, key=by_specificity)),
    ]
    routes = [
        *documents(contract, with_tokens=with_tokens),
        *([_preflight()] if settings.origins else []),
        *(_grpc(method, settings) for method in methods),
        *(_to_be_translated(each, settings, with_tokens=with_tokens) for each in translated),
        # Behind those of the contract, so that no prefix takes a path from it.
        *page_routes(settings, with_tokens=with_tokens),
        not_found(),
    ]
    return route_pb2.RouteConfiguration(
        name=PUBLIC_ROUTES,
        virtual_hosts=[
            route_components_pb2.VirtualHost(
                name="public",
                domains=["*"],
                routes=routes,
                typed_per_filter_config=cors_policy(settings),
            )
        ],
        max_direct_response_body_size_bytes=UInt32Value(value=longest(contract)),
    )


def not_found() -> route_components_pb2.Route:
    """Return the route of everything that no other route matched."""
    return route_components_pb2.Route(
        match=route_components_pb2.RouteMatch(prefix="/"),
        direct_response=route_components_pb2.DirectResponseAction(status=_NOT_FOUND),
        typed_per_filter_config=of_any_size(),
    )


def _grpc(method: PublicMethod, settings: EdgeSettings) -> route_components_pb2.Route:
    match = route_components_pb2.RouteMatch(
        path=method.path,
        grpc=route_components_pb2.RouteMatch.GrpcRouteMatchOptions(),
        headers=[_verb("POST")],
    )
    return route_components_pb2.Route(
        match=match,
        route=to_service(method, settings),
        metadata=rate_of(method, settings),
    )


def _preflight() -> route_components_pb2.Route:
    """The route of what browsers ask first; the CORS filter answers it if there is a route."""
    match = route_components_pb2.RouteMatch(
        prefix="/", headers=[_verb("OPTIONS"), present("access-control-request-method")]
    )
    return route_components_pb2.Route(
        match=match, route=route_components_pb2.RouteAction(cluster=TRANSLATING_CLUSTER)
    )


@dataclass(frozen=True, slots=True)
class _Translated:
    """What a request must look like to be one of this method in this protocol."""

    method: PublicMethod
    protocol: str
    verb: str
    match: route_components_pb2.RouteMatch


def _by_grpc_path(method: PublicMethod) -> Iterator[_Translated]:
    """gRPC-Web and Connect: POST, and Connect's GET for reads."""
    web = route_components_pb2.RouteMatch(
        path=method.path, headers=[_verb("POST"), content_type(prefix=GRPC_WEB_TYPE)]
    )
    yield _Translated(method, GRPC_WEB, "POST", web)
    for verb in ("POST", "GET") if method.read else ("POST",):
        match = route_components_pb2.RouteMatch(path=method.path, headers=[_verb(verb)])
        yield _Translated(method, CONNECT, verb, match)


def _by_rest_path(method: PublicMethod) -> _Translated:
    # Nothing is translated for a caller who says that it is gRPC already.
    headers = [_verb(method.verb), other_content_type(prefix=ANY_GRPC_TYPE)]
    if method.variables:
        regex = regex_pb2.RegexMatcher(regex=pattern(method.http_path))
        match = route_components_pb2.RouteMatch(safe_regex=regex, headers=headers)
    else:
        match = route_components_pb2.RouteMatch(path=method.http_path, headers=headers)
    return _Translated(method, REST, method.verb, match)


def _to_be_translated(
    request: _Translated, settings: EdgeSettings, *, with_tokens: bool
) -> route_components_pb2.Route:
    method = request.method
    is_reusable = bool(method.max_age_s and settings.cache_folder and request.verb == "GET")
    return route_components_pb2.Route(
        match=request.match,
        route=_to_inner_stage(settings) if is_reusable else to_service(method, settings),
        metadata=rate_of(method, settings),
        typed_per_filter_config=rules_of_route(
            method, request.protocol, is_reusable=is_reusable, with_tokens=with_tokens
        ),
    )


def _to_inner_stage(settings: EdgeSettings) -> route_components_pb2.RouteAction:
    """The inner stage has the time limits and repeats calls."""
    return route_components_pb2.RouteAction(
        cluster=TRANSLATING_CLUSTER,
        timeout=seconds(0),
        idle_timeout=seconds(settings.stream_idle_s),
    )


def _verb(verb: str) -> route_components_pb2.HeaderMatcher:
    return exactly(":method", verb)
