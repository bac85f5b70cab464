"""RDS for gRPC clients: when their calls are repeated, and how long they may take."""

from envoy.config.route.v3 import route_components_pb2, route_pb2
from google.protobuf.wrappers_pb2 import UInt32Value

from services.edge.contract.contract import Contract
from services.edge.contract.methods import PublicMethod
from services.edge.resources.packing import seconds
from services.edge.resources.routes.call_rules import time_limit_s
from services.edge.settings import EdgeSettings

_RETRIES = 2


def client_routes(
    service: str, contract: Contract, settings: EdgeSettings
) -> route_pb2.RouteConfiguration:
    """Return a route for each public method of the service, and one for all its other methods.

    Clients in the inside network call methods that aren't public, too; those are never repeated.
    """
    own = [method for method in contract.methods if method.service == service]
    other = route_components_pb2.Route(
        match=route_components_pb2.RouteMatch(prefix=""),
        route=route_components_pb2.RouteAction(cluster=service),
    )
    host = route_components_pb2.VirtualHost(
        name=service, domains=["*"], routes=[*(_route(method, settings) for method in own), other]
    )
    return route_pb2.RouteConfiguration(name=service, virtual_hosts=[host])


def _route(method: PublicMethod, settings: EdgeSettings) -> route_components_pb2.Route:
    limit = seconds(time_limit_s(method, settings))
    action = route_components_pb2.RouteAction(
        cluster=method.service,
        max_stream_duration=route_components_pb2.RouteAction.MaxStreamDuration(
            max_stream_duration=limit, grpc_timeout_header_max=limit
        ),
    )
    if method.safe:
        action.retry_policy.CopyFrom(_retry_policy())
    return route_components_pb2.Route(
        match=route_components_pb2.RouteMatch(path=method.path), route=action
    )


def _retry_policy() -> route_components_pb2.RetryPolicy:
    return route_components_pb2.RetryPolicy(
        retry_on="unavailable",
        num_retries=UInt32Value(value=_RETRIES),
        retry_back_off=route_components_pb2.RetryPolicy.RetryBackOff(
            base_interval=seconds(0.05), max_interval=seconds(1)
        ),
    )
