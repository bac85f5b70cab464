"""The routes of what describes the edge to its clients: OpenAPI and the descriptor set."""

from collections.abc import Mapping

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2
from google.protobuf.any_pb2 import Any as AnyMessage

from services.edge.contract.contract import Contract
from services.edge.resources.filters.token_check import without_token
from services.edge.resources.headers import exactly, overwritten

OPENAPI = "/openapi.json"
DESCRIPTOR_SET = "/.well-known/contracts.binpb"
_OK = 200


def documents(contract: Contract, *, with_tokens: bool) -> list[route_components_pb2.Route]:
    """Return the routes; nobody needs a token to read them."""
    for_everybody = without_token() if with_tokens else {}
    return [
        _document(OPENAPI, "application/json", contract.openapi, for_everybody),
        _document(DESCRIPTOR_SET, "application/protobuf", contract.descriptor_set, for_everybody),
    ]


def longest(contract: Contract) -> int:
    """Return the size of the longest document in bytes; Envoy's own limit is 4 kB."""
    return max(len(contract.openapi), len(contract.descriptor_set))


def _document(
    path: str, media_type: str, content: bytes, for_everybody: Mapping[str, AnyMessage]
) -> route_components_pb2.Route:
    return route_components_pb2.Route(
        match=route_components_pb2.RouteMatch(path=path, headers=[exactly(":method", "GET")]),
        direct_response=route_components_pb2.DirectResponseAction(
            status=_OK, body=base_pb2.DataSource(inline_bytes=content)
        ),
        response_headers_to_add=[overwritten("content-type", media_type)],
        typed_per_filter_config=for_everybody,
    )
