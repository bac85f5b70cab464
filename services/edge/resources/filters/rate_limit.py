"""Limits how often one caller may call the methods of a rate class.

Envoy keeps the buckets, so a decision needs no other process; each Envoy counts by itself. The
class comes from the route's metadata, the caller from the verified token or from the connection:
nothing that a caller can write into a header changes the count.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.common.ratelimit.v3 import ratelimit_pb2
from envoy.extensions.filters.http.local_ratelimit.v3 import local_rate_limit_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from envoy.type.metadata.v3 import metadata_pb2
from envoy.type.v3 import percent_pb2, token_bucket_pb2
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import BoolValue, UInt32Value

from services.edge.contract.methods import PublicMethod
from services.edge.resources.filters.token_check import VERIFIED_CLAIMS
from services.edge.resources.headers import overwritten
from services.edge.resources.packing import packed, seconds
from services.edge.settings import EdgeSettings

# The namespace of what a route says about its method, and its keys.
_ROUTE = "tradepost"
_CLASS = "rate_class"
_RETRY_AFTER_S = "retry_after_s"
_RETRY_AFTER_MS = "retry_after_ms"
_SUBJECT = "subject"
# The key is fixed by Envoy.
_ADDRESS = "masked_remote_address"
_MINUTE_S = 60


def rate_limit(
    settings: EdgeSettings, *, by_subject: bool
) -> http_connection_manager_pb2.HttpFilter:
    """Return the filter: one bucket for each class and caller.

    A caller is the subject of a verified token, or else an address. A bucket holds the calls of a
    minute and is filled steadily. Envoy keeps the buckets of `max_callers` in a class and drops the
    one that was used longest ago, so more callers than that would refill each other's buckets.
    """
    caller = _SUBJECT if by_subject else _ADDRESS
    always = base_pb2.RuntimeFractionalPercent(
        default_value=percent_pb2.FractionalPercent(numerator=100)
    )
    config = local_rate_limit_pb2.LocalRateLimit(
        stat_prefix="callers",
        filter_enabled=always,
        filter_enforced=always,
        descriptors=[
            _bucket(name, caller, per_minute)
            for name, per_minute in _per_minute(settings).items()
            if per_minute
        ],
        rate_limits=[
            route_components_pb2.RateLimit(
                actions=[_class(), _subject() if by_subject else _address()]
            )
        ],
        max_dynamic_descriptors=UInt32Value(value=settings.max_callers),
        always_consume_default_token_bucket=BoolValue(value=False),
        # Otherwise a gRPC client would get UNAVAILABLE, and repeat the call at once.
        rate_limited_as_resource_exhausted=True,
        enable_x_ratelimit_headers=ratelimit_pb2.DRAFT_VERSION_03,
        response_headers_to_add=[
            overwritten("retry-after", f"%METADATA(ROUTE:{_ROUTE}:{_RETRY_AFTER_S})%"),
            # The same for gRPC clients (gRFC A6).
            overwritten("grpc-retry-pushback-ms", f"%METADATA(ROUTE:{_ROUTE}:{_RETRY_AFTER_MS})%"),
        ],
    )
    return http_connection_manager_pb2.HttpFilter(
        name="envoy.filters.http.local_ratelimit", typed_config=packed(config)
    )


def rate_of(method: PublicMethod, settings: EdgeSettings) -> base_pb2.Metadata:
    """Return what the method's routes say to the filter: its class, and when to come back."""
    per_minute = _per_minute(settings)[method.rate_class]
    retry_after_s = math.ceil(_MINUTE_S / per_minute) if per_minute else 0
    values = Struct()
    values.update(
        {
            _CLASS: method.rate_class,
            _RETRY_AFTER_S: str(retry_after_s),
            _RETRY_AFTER_MS: str(retry_after_s * 1000),
        }
    )
    return base_pb2.Metadata(filter_metadata={_ROUTE: values})


def _per_minute(settings: EdgeSettings) -> Mapping[str, int]:
    return MappingProxyType(
        {
            "READ": settings.read_per_minute,
            "LIST": settings.list_per_minute,
            "WRITE": settings.write_per_minute,
            "WATCH": settings.watch_per_minute,
        }
    )


def _bucket(
    rate_class: str, caller: str, per_minute: int
) -> ratelimit_pb2.LocalRateLimitDescriptor:
    """The buckets of one class; an entry without a value stands for one bucket a value."""
    entry = ratelimit_pb2.RateLimitDescriptor.Entry
    return ratelimit_pb2.LocalRateLimitDescriptor(
        entries=[entry(key=_CLASS, value=rate_class), entry(key=caller)],
        token_bucket=token_bucket_pb2.TokenBucket(
            max_tokens=per_minute,
            tokens_per_fill=UInt32Value(value=per_minute),
            fill_interval=seconds(_MINUTE_S),
        ),
    )


def _class() -> route_components_pb2.RateLimit.Action:
    action = route_components_pb2.RateLimit.Action
    return action(
        metadata=action.MetaData(
            descriptor_key=_CLASS,
            source=action.MetaData.ROUTE_ENTRY,
            metadata_key=_path(_ROUTE, _CLASS),
        )
    )


def _subject() -> route_components_pb2.RateLimit.Action:
    action = route_components_pb2.RateLimit.Action
    return action(
        metadata=action.MetaData(
            descriptor_key=_SUBJECT,
            source=action.MetaData.DYNAMIC,
            metadata_key=_path(*VERIFIED_CLAIMS, "sub"),
        )
    )


def _address() -> route_components_pb2.RateLimit.Action:
    """One IPv6 network of 64 bits is one caller, because a customer usually has all of it."""
    action = route_components_pb2.RateLimit.Action
    return action(
        masked_remote_address=action.MaskedRemoteAddress(
            v4_prefix_mask_len=UInt32Value(value=32), v6_prefix_mask_len=UInt32Value(value=64)
        )
    )


def _path(namespace: str, *keys: str) -> metadata_pb2.MetadataKey:
    segment = metadata_pb2.MetadataKey.PathSegment
    return metadata_pb2.MetadataKey(key=namespace, path=[segment(key=key) for key in keys])
