"""CDS: a cluster for each service and web application, and one to the listener inside Envoy."""

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2, outlier_detection_pb2
from envoy.config.core.v3 import address_pb2, base_pb2, config_source_pb2, protocol_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.wrappers_pb2 import BoolValue, UInt32Value

from services.edge.resources.names import TRANSLATING_CLUSTER, TRANSLATING_LISTENER
from services.edge.resources.packing import packed, seconds
from services.edge.resources.transport_sockets import service_socket

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_CONNECT_TIMEOUT_S = 1.0
# Streams stay open, so far more calls than Envoy's default of 1,024 are in flight at a time. The
# services themselves limit how many they work on.
_MAX_CALLS = 20_000
# Of all calls in flight, how many may be repeated ones. If one of two instances dies, half of the
# calls in flight are repeated at once; Envoy counts a repeated call until it ends.
_RETRY_PERCENT = 50
_MIN_RETRIES = 256
# The servers of these services allow a ping every 10 s.
_PING_EVERY_S = 30.0
_PING_TIMEOUT_S = 10.0


def service_cluster(service: str, spiffe_id: str = "") -> cluster_pb2.Cluster:
    """Return the cluster of a service: HTTP/2 to the instances that EDS names.

    With `spiffe_id` by mutual TLS to those that prove it, otherwise without TLS.
    """
    return _registered(service, _http2(), service_socket(spiffe_id) if spiffe_id else None)


def page_cluster(application: str, spiffe_id: str = "") -> cluster_pb2.Cluster:
    """Return the cluster of a web application: HTTP/1.1, otherwise as that of a service."""
    socket = service_socket(spiffe_id, protocol="http/1.1") if spiffe_id else None
    return _registered(application, _http1(), socket)


def _registered(
    name: str, protocol: AnyMessage, socket: base_pb2.TransportSocket | None
) -> cluster_pb2.Cluster:
    return cluster_pb2.Cluster(
        name=name,
        type=cluster_pb2.Cluster.EDS,
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(
            eds_config=config_source_pb2.ConfigSource(
                resource_api_version=config_source_pb2.V3,
                ads=config_source_pb2.AggregatedConfigSource(),
            )
        ),
        connect_timeout=seconds(_CONNECT_TIMEOUT_S),
        # Of two random instances, the one with fewer calls in flight.
        lb_policy=cluster_pb2.Cluster.LEAST_REQUEST,
        # With few instances left, their health says less than that the load would break them.
        common_lb_config=cluster_pb2.Cluster.CommonLbConfig(
            healthy_panic_threshold=percent_pb2.Percent(value=50)
        ),
        circuit_breakers=_circuit_breakers(),
        outlier_detection=_outlier_detection(),
        typed_extension_protocol_options={_HTTP_OPTIONS: protocol},
        transport_socket=socket,
        # An instance that left the registry gets no calls, even if Envoy could still reach it.
        ignore_health_on_host_removal=True,
    )


def translating_cluster() -> cluster_pb2.Cluster:
    """Return the cluster that leads to the inner listener, without a socket."""
    address = address_pb2.Address(
        envoy_internal_address=address_pb2.EnvoyInternalAddress(
            server_listener_name=TRANSLATING_LISTENER
        )
    )
    endpoint = endpoint_components_pb2.LbEndpoint(
        endpoint=endpoint_components_pb2.Endpoint(address=address)
    )
    return cluster_pb2.Cluster(
        name=TRANSLATING_CLUSTER,
        type=cluster_pb2.Cluster.STATIC,
        load_assignment=endpoint_pb2.ClusterLoadAssignment(
            cluster_name=TRANSLATING_CLUSTER,
            endpoints=[endpoint_components_pb2.LocalityLbEndpoints(lb_endpoints=[endpoint])],
        ),
        # Envoy closes a connection on which many streams are given up (as a defence). Callers who
        # shared one would lose their calls by what another one does.
        connection_pool_per_downstream_connection=True,
        circuit_breakers=_circuit_breakers(),
        typed_extension_protocol_options={_HTTP_OPTIONS: _http2()},
    )


def _circuit_breakers() -> circuit_breaker_pb2.CircuitBreakers:
    many = UInt32Value(value=_MAX_CALLS)
    thresholds = circuit_breaker_pb2.CircuitBreakers.Thresholds(
        max_connections=many,
        max_pending_requests=many,
        max_requests=many,
        retry_budget=circuit_breaker_pb2.CircuitBreakers.Thresholds.RetryBudget(
            budget_percent=percent_pb2.Percent(value=_RETRY_PERCENT),
            min_retry_concurrency=UInt32Value(value=_MIN_RETRIES),
        ),
    )
    return circuit_breaker_pb2.CircuitBreakers(thresholds=[thresholds])


def _outlier_detection() -> outlier_detection_pb2.OutlierDetection:
    """Leave out an instance that can't be connected to, or that often answers UNAVAILABLE.

    What an application answers about one method (INTERNAL, UNKNOWN) ejects nobody.
    """
    return outlier_detection_pb2.OutlierDetection(
        interval=seconds(1),
        base_ejection_time=seconds(5),
        max_ejection_time=seconds(60),
        max_ejection_percent=UInt32Value(value=50),
        always_eject_one_host=BoolValue(value=True),
        split_external_local_origin_errors=True,
        consecutive_local_origin_failure=UInt32Value(value=2),
        enforcing_consecutive_local_origin_failure=UInt32Value(value=100),
        consecutive_gateway_failure=UInt32Value(value=10),
        enforcing_consecutive_gateway_failure=UInt32Value(value=100),
        enforcing_consecutive_5xx=UInt32Value(value=0),
        enforcing_success_rate=UInt32Value(value=0),
        enforcing_local_origin_success_rate=UInt32Value(value=0),
    )


def _http1() -> AnyMessage:
    explicit = http_protocol_options_pb2.HttpProtocolOptions.ExplicitHttpConfig(
        http_protocol_options=protocol_pb2.Http1ProtocolOptions()
    )
    return packed(http_protocol_options_pb2.HttpProtocolOptions(explicit_http_config=explicit))


def _http2() -> AnyMessage:
    explicit = http_protocol_options_pb2.HttpProtocolOptions.ExplicitHttpConfig(
        http2_protocol_options=protocol_pb2.Http2ProtocolOptions(
            connection_keepalive=protocol_pb2.KeepaliveSettings(
                interval=seconds(_PING_EVERY_S), timeout=seconds(_PING_TIMEOUT_S)
            )
        )
    )
    return packed(http_protocol_options_pb2.HttpProtocolOptions(explicit_http_config=explicit))
