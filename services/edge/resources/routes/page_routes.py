"""The routes to the web applications, by the prefixes of their paths.

They need no token at the edge: a browser has a session with the application, which asks the
services with the person's own token.
"""

from collections.abc import Iterator, Mapping

from envoy.config.route.v3 import route_components_pb2
from google.protobuf.any_pb2 import Any as AnyMessage

from services.edge.resources.filters.token_check import without_token
from services.edge.resources.headers import containing, matching, overwritten
from services.edge.resources.packing import seconds
from services.edge.resources.routes.call_rules import STREAM_LIMIT_S, repeated
from services.edge.settings import EdgeSettings

_FOUND = 302
_READ, _CHANGE = "GET|HEAD", "POST|PUT|PATCH|DELETE"
# A read has no effect, so it is repeated also if an instance died over it.
_SAFE = "connect-failure,refused-stream,reset"


def page_routes(
    settings: EdgeSettings, *, with_tokens: bool
) -> Iterator[route_components_pb2.Route]:
    """Yield the routes, the longest prefixes first; and that of "/", which leads to the first."""
    applications = settings.applications
    for_everybody = without_token() if with_tokens else {}
    if applications:
        yield _redirect(next(iter(applications)), for_everybody)
    for prefix in sorted(applications, key=lambda each: (-len(each), each)):
        yield from _application(prefix, applications[prefix], settings, for_everybody)


def _application(
    prefix: str, cluster: str, settings: EdgeSettings, for_everybody: Mapping[str, AnyMessage]
) -> Iterator[route_components_pb2.Route]:
    """A stream of events may last a day; any other answer has the time of a call that waits."""
    read, change = matching(":method", regex=_READ), matching(":method", regex=_CHANGE)
    events = containing("accept", "text/event-stream")
    for headers, limit_s, retries in (
        ([read, events], STREAM_LIMIT_S, repeated(_SAFE)),
        ([read], settings.waiting_timeout_s, repeated(_SAFE)),
        ([change], settings.waiting_timeout_s, None),
    ):
        yield route_components_pb2.Route(
            match=route_components_pb2.RouteMatch(path_separated_prefix=prefix, headers=headers),
            route=route_components_pb2.RouteAction(
                cluster=cluster,
                timeout=seconds(limit_s),
                idle_timeout=seconds(settings.stream_idle_s),
                retry_policy=retries,
            ),
            typed_per_filter_config=for_everybody,
        )


def _redirect(prefix: str, for_everybody: Mapping[str, AnyMessage]) -> route_components_pb2.Route:
    """Envoy's own redirect would name the host without its port, which is removed before."""
    return route_components_pb2.Route(
        match=route_components_pb2.RouteMatch(path="/", headers=[matching(":method", regex=_READ)]),
        direct_response=route_components_pb2.DirectResponseAction(status=_FOUND),
        response_headers_to_add=[overwritten("location", prefix)],
        typed_per_filter_config=for_everybody,
    )
