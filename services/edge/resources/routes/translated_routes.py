"""RDS of the inner stage: gRPC calls, translated from what the cache asks for, to services."""

from envoy.config.route.v3 import route_components_pb2, route_pb2

from services.edge.contract.contract import Contract
from services.edge.resources.names import TRANSLATED_ROUTES
from services.edge.resources.routes.call_rules import to_service
from services.edge.resources.routes.public_routes import not_found
from services.edge.settings import EdgeSettings


def translated_routes(contract: Contract, settings: EdgeSettings) -> route_pb2.RouteConfiguration:
    """Return the routes of the inner listener: one for each method whose answers may be reused."""
    routes = [
        route_components_pb2.Route(
            match=route_components_pb2.RouteMatch(path=method.path),
            route=to_service(method, settings),
        )
        for method in contract.methods
        if method.max_age_s
    ]
    return route_pb2.RouteConfiguration(
        name=TRANSLATED_ROUTES,
        virtual_hosts=[
            route_components_pb2.VirtualHost(
                name="translated", domains=["*"], routes=[*routes, not_found()]
            )
        ],
    )
