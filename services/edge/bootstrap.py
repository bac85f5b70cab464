"""What Envoy is started with: where its control plane and its admin pages are. All else is xDS."""

from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import (
    address_pb2,
    base_pb2,
    config_source_pb2,
    extension_pb2,
    grpc_service_pb2,
    protocol_pb2,
)
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from envoy.config.overload.v3 import overload_pb2
from envoy.extensions.bootstrap.internal_listener.v3 import internal_listener_pb2
from envoy.extensions.resource_monitors.downstream_connections.v3 import (
    downstream_connections_pb2,
)
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from google.protobuf import json_format

from services.edge.resources.packing import packed, seconds
from services.edge.settings import EdgeSettings

_CONTROL_PLANE = "control_plane"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_LOOPBACK = "127.0.0.1"


def bootstrap(control_plane: address_pb2.Address, *, node: str, settings: EdgeSettings) -> str:
    """Return Envoy's bootstrap as JSON. Its admin pages are on loopback only."""
    ads = config_source_pb2.ConfigSource(
        resource_api_version=config_source_pb2.V3,
        ads=config_source_pb2.AggregatedConfigSource(),
    )
    message = bootstrap_pb2.Bootstrap(
        node=base_pb2.Node(id=node, cluster="edge"),
        dynamic_resources=bootstrap_pb2.Bootstrap.DynamicResources(
            ads_config=_ads(), cds_config=ads, lds_config=ads
        ),
        static_resources=bootstrap_pb2.Bootstrap.StaticResources(
            clusters=[_control_plane(control_plane)]
        ),
        admin=bootstrap_pb2.Admin(address=tcp(_LOOPBACK, settings.admin_port)),
        overload_manager=_overload_manager(settings),
        bootstrap_extensions=[
            extension_pb2.TypedExtensionConfig(
                name="envoy.bootstrap.internal_listener",
                typed_config=packed(internal_listener_pb2.InternalListener()),
            )
        ],
    )
    return str(json_format.MessageToJson(message, preserving_proto_field_name=True))


def _overload_manager(settings: EdgeSettings) -> overload_pb2.OverloadManager:
    """Limit the connections from outside; Envoy has no limit of its own."""
    config = downstream_connections_pb2.DownstreamConnectionsConfig(
        max_active_downstream_connections=settings.max_connections
    )
    monitor = overload_pb2.ResourceMonitor(
        name="envoy.resource_monitors.global_downstream_max_connections",
        typed_config=packed(config),
    )
    return overload_pb2.OverloadManager(resource_monitors=[monitor])


def tcp(host: str, port: int) -> address_pb2.Address:
    """Return the address of a port."""
    return address_pb2.Address(
        socket_address=address_pb2.SocketAddress(address=host, port_value=port)
    )


def unix_socket(path: str) -> address_pb2.Address:
    """Return the address of a Unix domain socket."""
    return address_pb2.Address(pipe=address_pb2.Pipe(path=path))


def _ads() -> config_source_pb2.ApiConfigSource:
    service = grpc_service_pb2.GrpcService(
        envoy_grpc=grpc_service_pb2.GrpcService.EnvoyGrpc(cluster_name=_CONTROL_PLANE)
    )
    return config_source_pb2.ApiConfigSource(
        api_type=config_source_pb2.ApiConfigSource.GRPC,
        transport_api_version=config_source_pb2.V3,
        grpc_services=[service],
        set_node_on_first_message_only=True,
    )


def _control_plane(address: address_pb2.Address) -> cluster_pb2.Cluster:
    http2 = http_protocol_options_pb2.HttpProtocolOptions(
        explicit_http_config=http_protocol_options_pb2.HttpProtocolOptions.ExplicitHttpConfig(
            http2_protocol_options=protocol_pb2.Http2ProtocolOptions()
        )
    )
    endpoint = endpoint_components_pb2.LbEndpoint(
        endpoint=endpoint_components_pb2.Endpoint(address=address)
    )
    return cluster_pb2.Cluster(
        name=_CONTROL_PLANE,
        type=cluster_pb2.Cluster.STATIC,
        connect_timeout=seconds(1),
        load_assignment=endpoint_pb2.ClusterLoadAssignment(
            cluster_name=_CONTROL_PLANE,
            endpoints=[endpoint_components_pb2.LocalityLbEndpoints(lb_endpoints=[endpoint])],
        ),
        typed_extension_protocol_options={_HTTP_OPTIONS: packed(http2)},
    )
