"""RDS of the outer stage: which requests from outside are served, and where they go.

Every public method has a route for gRPC, which leads to its service, one for its gRPC path by other
protocols (gRPC-Web, Connect, JSON) and one for its REST path; both lead to the inner stage.
Everything else is answered with 404.
"""

from collections.abc import Iterator

from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.type.matcher.v3 import regex_pb2

from services.edge.contract.contract import Contract
from services.edge.contract.methods import PublicMethod
from services.edge.resources.call_rules import deadline_header, to_service
from services.edge.resources.headers import (
    GRPC_WEB_TYPE,
    content_type,
    exactly,
    overwritten,
)
from services.edge.resources.names import (
    CONNECT,
    GRPC_WEB,
    PROTOCOL_HEADER,
    PUBLIC_ROUTES,
    REST,
    TRANSLATING_CLUSTER,
)
from services.edge.resources.packing import seconds
from services.edge.resources.path_patterns import by_specificity, pattern
from services.edge.settings import EdgeSettings

CORRELATION = "x-correlation-id"
# The chassis reads the correlation from this header.
INNER_CORRELATION = "tradepost-correlation-id"
# The caller's own id, or else the one that Envoy gave the request.
_CORRELATION_VALUE = "%REQ(X-CORRELATION-ID?X-REQUEST-ID)%"
# A caller outside must not say what only our own clients and proxies may say.
_NOT_FROM_OUTSIDE = (
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "tradepost-causation-id",
)
# Answers in JSON say the same by their HTTP status and their body.
_ONLY_FOR_GRPC = ("grpc-status", "grpc-message", "grpc-status-details-bin", "grpc-accept-encoding")
_NOT_FOUND = 404


def public_routes(contract: Contract, settings: EdgeSettings) -> route_pb2.RouteConfiguration:
    """Return the routes of the public listener."""
    methods = contract.methods
    routes = [
        *(_grpc(method, settings) for method in methods),
        *(route for method in methods for route in _by_grpc_path(method, settings)),
        *(_rest(method, settings) for method in sorted(methods, key=by_specificity)),
        not_found(),
    ]
    return route_pb2.RouteConfiguration(
        name=PUBLIC_ROUTES,
        virtual_hosts=[
            route_components_pb2.VirtualHost(name="public", domains=["*"], routes=routes)
        ],
        request_headers_to_add=[overwritten(INNER_CORRELATION, _CORRELATION_VALUE)],
        request_headers_to_remove=list(_NOT_FROM_OUTSIDE),
        response_headers_to_add=[overwritten(CORRELATION, _CORRELATION_VALUE)],
    )


def not_found() -> route_components_pb2.Route:
    """Return the route of everything that no other route matched."""
    return route_components_pb2.Route(
        match=route_components_pb2.RouteMatch(prefix="/"),
        direct_response=route_components_pb2.DirectResponseAction(status=_NOT_FOUND),
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
        request_headers_to_add=deadline_header(method, settings),
    )


def _by_grpc_path(
    method: PublicMethod, settings: EdgeSettings
) -> Iterator[route_components_pb2.Route]:
    """The routes of gRPC-Web and Connect: POST, and Connect's GET for reads."""
    web = route_components_pb2.RouteMatch(
        path=method.path, headers=[_verb("POST"), content_type(prefix=GRPC_WEB_TYPE)]
    )
    yield _to_translation(web, GRPC_WEB, settings)
    for verb in ("POST", "GET") if method.read else ("POST",):
        match = route_components_pb2.RouteMatch(path=method.path, headers=[_verb(verb)])
        yield _to_translation(match, CONNECT, settings)


def _rest(method: PublicMethod, settings: EdgeSettings) -> route_components_pb2.Route:
    verb = [_verb(method.verb)]
    if method.variables:
        regex = regex_pb2.RegexMatcher(regex=pattern(method.http_path))
        match = route_components_pb2.RouteMatch(safe_regex=regex, headers=verb)
    else:
        match = route_components_pb2.RouteMatch(path=method.http_path, headers=verb)
    route = _to_translation(match, REST, settings)
    route.response_headers_to_remove.extend(_ONLY_FOR_GRPC)
    return route


def _to_translation(
    match: route_components_pb2.RouteMatch, protocol: str, settings: EdgeSettings
) -> route_components_pb2.Route:
    """The route to the inner stage, which has the time limits and repeats calls."""
    return route_components_pb2.Route(
        match=match,
        route=route_components_pb2.RouteAction(
            cluster=TRANSLATING_CLUSTER,
            timeout=seconds(0),
            idle_timeout=seconds(settings.stream_idle_s),
        ),
        request_headers_to_add=[overwritten(PROTOCOL_HEADER, protocol)],
    )


def _verb(verb: str) -> route_components_pb2.HeaderMatcher:
    return exactly(":method", verb)
