"""Which headers of a caller go on to the services, and which the caller gets back.

A filter has these rules and not the routes, because the routes' headers are missing where the cache
asks a service or answers by itself.

The cache leaves requests with `authorization` alone, because it can't know whether an answer
depends on the caller. Here it doesn't: only answers that are the same for everyone have a
`max_age`, and the token was checked before. So the token passes the cache under another name.
"""

from collections.abc import Mapping

from envoy.config.common.mutation_rules.v3 import mutation_rules_pb2
from envoy.config.core.v3 import extension_pb2
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import (
    header_mutation_pb2 as early_header_mutation_pb2,
)
from envoy.type.matcher.v3 import regex_pb2, string_pb2
from google.protobuf.any_pb2 import Any as AnyMessage

from services.edge.resources.headers import CORRELATION_ID, overwritten
from services.edge.resources.names import GRPC_WEB, PROTOCOL_HEADER, REST, VERB_HEADER
from services.edge.resources.packing import packed

_NAME = "envoy.filters.http.header_mutation"
_CORRELATION = "x-correlation-id"
# The chassis reads the correlation from this header.
_INNER_CORRELATION = "tradepost-correlation-id"
_USUAL_TOKEN = "authorization"  # noqa: S105 - the name of a header
_HIDDEN_TOKEN = "x-tradepost-authorization"  # noqa: S105
# A caller outside must not say what only our own clients and proxies may say.
_NOT_FROM_OUTSIDE = (
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    _HIDDEN_TOKEN,
)
_NO_PREFIXES_FROM_OUTSIDE = ("tradepost-", "x-envoy-")
# A server of gRPC reads these by their types. It keeps what it can't read in the connection's table
# of headers (HPACK), and from then on fails every call on it that has a header of the same name,
# whoever makes it. All callers share the connections to services, so what no service asks for is
# removed, and the others can always be read. The router writes `grpc-timeout` anew.
_READ_BY_GRPC = ".*-bin|grpc-(internal-.*|previous-rpc-attempts|retry-pushback-ms|status|message)"
_ENCODING = "grpc-encoding"
_KNOWN_ENCODING = (
    f"%CEL(request.headers['{_ENCODING}'] in ['identity', 'gzip', 'deflate']"
    f" ? request.headers['{_ENCODING}'] : 'identity')%"
)
# Only the messages of gRPC and gRPC-Web are compressed by it.
_ONLY_OF_GRPC = "grpc-.*encoding.*"
# The router is told not to send this, but what asks for the cache is not.
_SERVICE_TIME = "x-envoy-upstream-service-time"
# Answers in JSON say the same by their HTTP status and their body.
_ONLY_FOR_GRPC = ("grpc-status", "grpc-message", "grpc-status-details-bin", "grpc-accept-encoding")


def before_routing() -> extension_pb2.TypedExtensionConfig:
    """Return what is removed before a request has a route.

    By these headers Envoy writes its own replies and the log, also of a request that it refuses.
    """
    config = early_header_mutation_pb2.HeaderMutation(
        mutations=map(_removed, (PROTOCOL_HEADER, VERB_HEADER))
    )
    return extension_pb2.TypedExtensionConfig(
        name="envoy.http.early_header_mutation.header_mutation", typed_config=packed(config)
    )


def header_rules() -> http_connection_manager_pb2.HttpFilter:
    """Return the filter of the outer stage."""
    mutations = header_mutation_pb2.Mutations(
        request_mutations=[
            *map(_removed, _NOT_FROM_OUTSIDE),
            *(
                _removed_matching(string_pb2.StringMatcher(prefix=prefix))
                for prefix in _NO_PREFIXES_FROM_OUTSIDE
            ),
            _removed_matching(_named(_READ_BY_GRPC)),
            _set(_ENCODING, _KNOWN_ENCODING),
            _set("te", "trailers"),
            _set(_INNER_CORRELATION, CORRELATION_ID),
        ],
        # No request of ours has any.
        request_trailers_mutations=[_removed_matching(_named(".*"))],
        response_mutations=[_set(_CORRELATION, CORRELATION_ID), _removed(_SERVICE_TIME)],
    )
    return _filter(mutations)


def headers_of(protocol: str, *, hides_token: bool) -> Mapping[str, AnyMessage]:
    """Return what the route of requests to be translated says: in which protocol they are."""
    requests = [_set(PROTOCOL_HEADER, protocol), _set(VERB_HEADER, "%REQ(:METHOD)%")]
    if protocol != GRPC_WEB:
        requests.append(_removed_matching(_named(_ONLY_OF_GRPC)))
    if hides_token:
        requests += [_set(_HIDDEN_TOKEN, f"%REQ({_USUAL_TOKEN})%"), _removed(_USUAL_TOKEN)]
    mutations = header_mutation_pb2.Mutations(
        request_mutations=requests,
        response_mutations=map(_removed, _ONLY_FOR_GRPC) if protocol == REST else (),
    )
    return {_NAME: packed(header_mutation_pb2.HeaderMutationPerRoute(mutations=mutations))}


def token_found() -> http_connection_manager_pb2.HttpFilter:
    """Return the filter of the inner stage, which gives the token its usual name again."""
    mutations = header_mutation_pb2.Mutations(
        request_mutations=[_set(_USUAL_TOKEN, f"%REQ({_HIDDEN_TOKEN})%"), _removed(_HIDDEN_TOKEN)]
    )
    return _filter(mutations)


def _filter(mutations: header_mutation_pb2.Mutations) -> http_connection_manager_pb2.HttpFilter:
    config = header_mutation_pb2.HeaderMutation(mutations=mutations)
    return http_connection_manager_pb2.HttpFilter(name=_NAME, typed_config=packed(config))


def _removed(name: str) -> mutation_rules_pb2.HeaderMutation:
    return mutation_rules_pb2.HeaderMutation(remove=name)


def _removed_matching(names: string_pb2.StringMatcher) -> mutation_rules_pb2.HeaderMutation:
    matching = mutation_rules_pb2.HeaderMutation.RemoveOnMatch(key_matcher=names)
    return mutation_rules_pb2.HeaderMutation(remove_on_match=matching)


def _named(regex: str) -> string_pb2.StringMatcher:
    return string_pb2.StringMatcher(safe_regex=regex_pb2.RegexMatcher(regex=regex))


def _set(name: str, value: str) -> mutation_rules_pb2.HeaderMutation:
    """Set a header; if there is no value, nothing is changed."""
    return mutation_rules_pb2.HeaderMutation(append=overwritten(name, value))
