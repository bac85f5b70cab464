"""Matchers and settings of headers, which routes and replies share."""

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.type.matcher.v3 import regex_pb2, string_pb2

GRPC_WEB_TYPE = "application/grpc-web"
# What the types of gRPC and gRPC-Web begin with.
ANY_GRPC_TYPE = "application/grpc"
# The caller's own id if services take it too, cut to the length that they take: printable ASCII.
# Otherwise the id that Envoy gave the request. So answer, access log and services have the same.
CORRELATION_ID = (
    "%CEL(request.headers['x-correlation-id' in request.headers"
    " && request.headers['x-correlation-id'].matches('^[ -~]+$')"
    " ? 'x-correlation-id' : 'x-request-id']):128%"
)
_GRPC_TYPE = "application/grpc(\\+.*)?"


def grpc_content_type() -> route_components_pb2.HeaderMatcher:
    """Match the content type of gRPC, which begins like that of gRPC-Web."""
    return matching("content-type", regex=_GRPC_TYPE)


def matching(name: str, *, regex: str) -> route_components_pb2.HeaderMatcher:
    """Match a header whose whole value matches the expression (RE2)."""
    matcher = string_pb2.StringMatcher(safe_regex=regex_pb2.RegexMatcher(regex=regex))
    return route_components_pb2.HeaderMatcher(name=name, string_match=matcher)


def content_type(*, prefix: str) -> route_components_pb2.HeaderMatcher:
    """Match content types that begin so."""
    return route_components_pb2.HeaderMatcher(
        name="content-type", string_match=string_pb2.StringMatcher(prefix=prefix)
    )


def other_content_type(*, prefix: str) -> route_components_pb2.HeaderMatcher:
    """Match content types that don't begin so, and requests without one."""
    matcher = content_type(prefix=prefix)
    matcher.invert_match = matcher.treat_missing_header_as_empty = True
    return matcher


def exactly(name: str, value: str) -> route_components_pb2.HeaderMatcher:
    """Match a header that has this value."""
    return route_components_pb2.HeaderMatcher(
        name=name, string_match=string_pb2.StringMatcher(exact=value)
    )


def containing(name: str, text: str) -> route_components_pb2.HeaderMatcher:
    """Match a header whose value contains the text."""
    return route_components_pb2.HeaderMatcher(
        name=name, string_match=string_pb2.StringMatcher(contains=text)
    )


def present(name: str) -> route_components_pb2.HeaderMatcher:
    """Match a header with any value."""
    return route_components_pb2.HeaderMatcher(name=name, present_match=True)


def absent(name: str) -> route_components_pb2.HeaderMatcher:
    """Match requests without the header."""
    return route_components_pb2.HeaderMatcher(name=name, present_match=False)


def overwritten(name: str, value: str) -> base_pb2.HeaderValueOption:
    """Set a header, whether it is there or not."""
    return base_pb2.HeaderValueOption(
        header=base_pb2.HeaderValue(key=name, value=value),
        append_action=base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
