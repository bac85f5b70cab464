"""Refuses a request without a valid token of a person, before it costs anything.

The services verify the token again: the edge passes it on and vouches for nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from envoy.config.core.v3 import base_pb2, config_source_pb2, extension_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from google.protobuf.any_pb2 import Any as AnyMessage

from services.edge.resources.headers import matching
from services.edge.resources.packing import packed

_NAME = "envoy.filters.http.jwt_authn"
_PAYLOAD = "claims"
# Where the claims of a verified token are for the filters behind this one.
VERIFIED_CLAIMS = (_NAME, _PAYLOAD)
_PROVIDER = "people"
_NOBODY = "nobody"
_HEADER = "authorization"
# A header with one token and nothing else; Envoy joins several headers with commas.
_ONE_TOKEN = "[Bb]earer +[A-Za-z0-9._-]+"  # noqa: S105
# Both are written; Envoy looks for the very letters.
_SCHEMES = ("Bearer ", "bearer ")
# How far the clocks of the issuer and of Envoy may differ; the services allow the same.
_LEEWAY_S = 30
_REMEMBERED_TOKENS = 1_000


@dataclass(frozen=True, slots=True)
class AcceptedTokens:
    """Whose tokens are accepted: the issuer, the audience, and the issuer's keys as a JWKS."""

    issuer: str
    audience: str
    jwks: str = field(repr=False)


def token_check() -> http_connection_manager_pb2.HttpFilter:
    """Return the filter. Its configuration is a resource of its own.

    So new keys hold from the next request on; a change of the listener would end open streams.
    """
    source = config_source_pb2.ExtensionConfigSource(
        config_source=config_source_pb2.ConfigSource(
            resource_api_version=config_source_pb2.V3,
            ads=config_source_pb2.AggregatedConfigSource(),
        ),
        type_urls=[f"type.googleapis.com/{config_pb2.JwtAuthentication.DESCRIPTOR.full_name}"],
    )
    return http_connection_manager_pb2.HttpFilter(name=_NAME, config_discovery=source)


def token_check_extension(tokens: AcceptedTokens) -> extension_pb2.TypedExtensionConfig:
    """Return the configuration: every request needs a token, unless its route says otherwise."""
    provider = config_pb2.JwtProvider(
        issuer=tokens.issuer,
        audiences=[tokens.audience],
        local_jwks=base_pb2.DataSource(inline_string=tokens.jwks),
        # By default a token is also read from the query, which ends up in logs.
        from_headers=[
            config_pb2.JwtHeader(name=_HEADER, value_prefix=scheme) for scheme in _SCHEMES
        ],
        forward=True,
        payload_in_metadata=_PAYLOAD,
        clock_skew_seconds=_LEEWAY_S,
        require_expiration=True,
        # Verified tokens are remembered until they expire: each caller sends theirs many times.
        jwt_cache_config=config_pb2.JwtCacheConfig(jwt_cache_size=_REMEMBERED_TOKENS),
    )
    config = config_pb2.JwtAuthentication(
        providers={_PROVIDER: provider, _NOBODY: _nobody(tokens)},
        # The first that matches counts.
        rules=[
            _rule(_PROVIDER, matching(_HEADER, regex=_ONE_TOKEN)),
            _rule(_NOBODY),
        ],
        bypass_cors_preflight=True,
    )
    return extension_pb2.TypedExtensionConfig(name=_NAME, typed_config=packed(config))


def _nobody(tokens: AcceptedTokens) -> config_pb2.JwtProvider:
    """A provider that accepts nothing, and says why: no token is of this issuer.

    Envoy finds a token anywhere in a header, such as behind a password or in a second header of the
    same name. Here all of it counts as the token.
    """
    return config_pb2.JwtProvider(
        issuer=_NOBODY,
        local_jwks=base_pb2.DataSource(inline_string=tokens.jwks),
        from_headers=[config_pb2.JwtHeader(name=_HEADER)],
    )


def _rule(
    provider: str, *headers: route_components_pb2.HeaderMatcher
) -> config_pb2.RequirementRule:
    return config_pb2.RequirementRule(
        match=route_components_pb2.RouteMatch(prefix="/", headers=headers),
        requires=config_pb2.JwtRequirement(provider_name=provider),
    )


def without_token() -> Mapping[str, AnyMessage]:
    """Return what a route says that is for everybody."""
    return {_NAME: packed(config_pb2.PerRouteConfig(disabled=True))}
