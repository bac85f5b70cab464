"""The filters that translate other protocols into gRPC, and which of them a request passes.

A route turns on those of its protocol. A filter that is off isn't made for the request, so a gRPC
call passes none of them.
"""

from collections.abc import Mapping
from types import MappingProxyType

from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from google.protobuf.any_pb2 import Any as AnyMessage

from services.edge.contract.contract import Contract
from services.edge.resources.filters import connect_bridge, grpc_web, json_transcoder
from services.edge.resources.names import CONNECT, GRPC_WEB, REST
from services.edge.resources.packing import turned_on
from services.edge.settings import EdgeSettings

_NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        GRPC_WEB: (grpc_web.NAME,),
        # A caller can also send JSON to a gRPC path, without Connect's headers.
        CONNECT: (connect_bridge.NAME, json_transcoder.NAME),
        REST: (json_transcoder.NAME,),
    }
)


def translation(
    contract: Contract, settings: EdgeSettings
) -> list[http_connection_manager_pb2.HttpFilter]:
    """List the filters, all turned off."""
    filters = [
        grpc_web.grpc_web(),
        connect_bridge.connect_bridge(),
        # After the other two: what they made of a request is gRPC, which it passes on.
        json_transcoder.json_transcoder(contract, settings),
    ]
    for each in filters:
        each.disabled = True
    return filters


def translated_from(protocol: str) -> Mapping[str, AnyMessage]:
    """Return what a route says whose callers speak this protocol."""
    return {name: turned_on() for name in _NEEDED[protocol]}
