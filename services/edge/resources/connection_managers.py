"""The two HTTP connection managers: what each reads from a connection, and how strictly."""

from envoy.config.core.v3 import address_pb2, config_source_pb2, protocol_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as manager_pb2,
)
from google.protobuf.wrappers_pb2 import BoolValue, UInt32Value

from services.edge.contract.contract import Contract
from services.edge.resources.access_log import access_log
from services.edge.resources.filters.chain import inner_filters, outer_filters
from services.edge.resources.filters.header_rules import before_routing
from services.edge.resources.local_replies import local_replies
from services.edge.resources.names import PUBLIC_ROUTES, TRANSLATED_ROUTES
from services.edge.resources.packing import seconds
from services.edge.settings import EdgeSettings

_Manager = manager_pb2.HttpConnectionManager
_YES = BoolValue(value=True)
_PING_EVERY_S = 30.0
_PING_TIMEOUT_S = 10.0
_MAX_STREAMS = 1_000
_STREAM_WINDOW = 256 * 1024
_CONNECTION_WINDOW = 1024 * 1024


def outer_manager(
    contract: Contract, settings: EdgeSettings, *, with_tokens: bool
) -> manager_pb2.HttpConnectionManager:
    """Return the manager of connections from outside: it trusts nothing that a caller sent."""
    return _Manager(
        stat_prefix="public",
        codec_type=_Manager.AUTO,
        rds=_routes(PUBLIC_ROUTES),
        http_filters=outer_filters(contract, settings, with_tokens=with_tokens),
        early_header_mutation_extensions=[before_routing()],
        access_log=access_log(settings.instance) if settings.access_log else [],
        local_reply_config=local_replies(settings),
        common_http_protocol_options=_common_options(settings),
        http2_protocol_options=_http2_options(),
        max_request_headers_kb=UInt32Value(value=settings.max_headers_kib),
        request_headers_timeout=seconds(settings.headers_timeout_s),
        # No request of ours is a stream, so each has an end.
        request_timeout=seconds(settings.request_timeout_s),
        stream_idle_timeout=seconds(settings.stream_idle_s),
        # One path has one spelling; otherwise a rule about a path could be stepped around.
        normalize_path=_YES,
        merge_slashes=True,
        path_with_escaped_slashes_action=_Manager.REJECT_REQUEST,
        # The client's address is that of the connection, or what trusted proxies said.
        use_remote_address=_YES,
        xff_num_trusted_hops=settings.trusted_hops,
        internal_address_config=_nobody_is_internal(),
        server_name="tradepost",
        generate_request_id=_YES,
        strip_any_host_port=True,
    )


def inner_manager(contract: Contract, settings: EdgeSettings) -> manager_pb2.HttpConnectionManager:
    """Return the manager of what the cache of the outer stage asks for, to be translated."""
    return _Manager(
        stat_prefix="translating",
        codec_type=_Manager.HTTP2,
        rds=_routes(TRANSLATED_ROUTES),
        http_filters=inner_filters(contract, settings),
        local_reply_config=local_replies(settings),
        max_request_headers_kb=UInt32Value(value=settings.max_headers_kib + 8),
        stream_idle_timeout=seconds(settings.stream_idle_s),
        server_header_transformation=_Manager.PASS_THROUGH,
        generate_request_id=BoolValue(value=False),
        use_remote_address=BoolValue(value=False),
        skip_xff_append=True,
    )


def _nobody_is_internal() -> manager_pb2.HttpConnectionManager.InternalAddressConfig:
    """Trust no caller's x-envoy-... headers, by which Envoy is steered.

    Without any range Envoy trusts all private ones and loopback, so this names an address from
    which nobody can connect.
    """
    broadcast = address_pb2.CidrRange(
        address_prefix="255.255.255.255", prefix_len=UInt32Value(value=32)
    )
    return _Manager.InternalAddressConfig(cidr_ranges=[broadcast])


def _routes(name: str) -> manager_pb2.Rds:
    return manager_pb2.Rds(
        route_config_name=name,
        config_source=config_source_pb2.ConfigSource(
            resource_api_version=config_source_pb2.V3,
            ads=config_source_pb2.AggregatedConfigSource(),
        ),
    )


def _common_options(settings: EdgeSettings) -> protocol_pb2.HttpProtocolOptions:
    return protocol_pb2.HttpProtocolOptions(
        idle_timeout=seconds(settings.connection_idle_s),
        max_headers_count=UInt32Value(value=100),
        # Some servers read `_` and `-` alike, so that `x_role` could pass for `x-role`.
        headers_with_underscores_action=protocol_pb2.HttpProtocolOptions.REJECT_REQUEST,
    )


def _http2_options() -> protocol_pb2.Http2ProtocolOptions:
    return protocol_pb2.Http2ProtocolOptions(
        max_concurrent_streams=UInt32Value(value=_MAX_STREAMS),
        initial_stream_window_size=UInt32Value(value=_STREAM_WINDOW),
        initial_connection_window_size=UInt32Value(value=_CONNECTION_WINDOW),
        # A caller that vanished without closing its connection is noticed.
        connection_keepalive=protocol_pb2.KeepaliveSettings(
            interval=seconds(_PING_EVERY_S), timeout=seconds(_PING_TIMEOUT_S)
        ),
        override_stream_error_on_invalid_http_message=_YES,
    )
