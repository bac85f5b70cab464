"""What a gRPC client of `xds:///order` is to know: it is its own proxy (gRFC A27, A28, A31, A44).

A client asks for the listener `order`. That names the routes `order`, these lead to the cluster
`order`, and its endpoints are the registered instances.

These resources are apart from Envoy's, because clients of gRPC reject some of what Envoy gets: they
all know round robin, but not all of them know least request.
"""

from collections.abc import Mapping, Sequence

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import base_pb2, config_source_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from envoy.config.listener.v3 import api_listener_pb2, listener_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as manager_pb2,
)
from google.protobuf.wrappers_pb2 import UInt32Value

from discovery.registry.instance import Instance
from services.edge.contract.contract import Contract
from services.edge.proxyless.client_routes import client_routes
from services.edge.resources.endpoints import endpoints
from services.edge.resources.filters.router import router
from services.edge.resources.packing import packed
from services.edge.resources.resources import Resources, services_of
from services.edge.settings import EdgeSettings


def client_resources(
    registry: Mapping[str, Sequence[Instance]], contract: Contract, settings: EdgeSettings
) -> Resources:
    """Return everything that gRPC clients are to know; equal arguments give equal resources."""
    services = services_of(contract)
    return Resources(
        listeners={name: _listener(name) for name in services},
        routes={name: client_routes(name, contract, settings) for name in services},
        clusters={name: _cluster(name) for name in services},
        endpoints={name: _endpoints(name, registry.get(name, ())) for name in services},
    )


def _listener(service: str) -> listener_pb2.Listener:
    """A listener without a socket: it only leads a client to its routes."""
    manager = manager_pb2.HttpConnectionManager(
        rds=manager_pb2.Rds(config_source=_ads(), route_config_name=service),
        http_filters=[router()],
    )
    return listener_pb2.Listener(
        name=service, api_listener=api_listener_pb2.ApiListener(api_listener=packed(manager))
    )


def _cluster(service: str) -> cluster_pb2.Cluster:
    return cluster_pb2.Cluster(
        name=service,
        type=cluster_pb2.Cluster.EDS,
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(eds_config=_ads()),
        lb_policy=cluster_pb2.Cluster.ROUND_ROBIN,
    )


def _endpoints(service: str, instances: Sequence[Instance]) -> endpoint_pb2.ClusterLoadAssignment:
    """The instances in one locality, whose weight clients insist on.

    They choose a locality first, and then one of its instances.
    """
    found = endpoints(service, instances).endpoints
    locality = endpoint_components_pb2.LocalityLbEndpoints(
        locality=base_pb2.Locality(),
        load_balancing_weight=UInt32Value(value=1),
        lb_endpoints=[each for process in found for each in process.lb_endpoints],
    )
    return endpoint_pb2.ClusterLoadAssignment(cluster_name=service, endpoints=[locality])


def _ads() -> config_source_pb2.ConfigSource:
    return config_source_pb2.ConfigSource(
        resource_api_version=config_source_pb2.V3,
        ads=config_source_pb2.AggregatedConfigSource(),
    )
