"""Resources as xDS hands them out: packed, by type, each type with a version."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from services.edge.resources.packing import packed
from services.edge.resources.resources import Resources

CLUSTERS = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
LISTENERS = "type.googleapis.com/envoy.config.listener.v3.Listener"
ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
SECRETS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
EXTENSIONS = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
# In this order, nothing refers to what Envoy doesn't know yet.
ORDER = (SECRETS, CLUSTERS, ENDPOINTS, EXTENSIONS, LISTENERS, ROUTES)


@dataclass(frozen=True, slots=True)
class TypedResources:
    """The resources of one type by name. Equal resources have the same version in every process."""

    version: str
    by_name: Mapping[str, AnyMessage] = field(repr=False)


Snapshot = Mapping[str, TypedResources]


def snapshot(resources: Resources) -> Snapshot:
    """Pack the resources, by the URL of their type."""
    return MappingProxyType(
        {
            CLUSTERS: _typed(resources.clusters),
            ENDPOINTS: _typed(resources.endpoints),
            EXTENSIONS: _typed(resources.extensions),
            LISTENERS: _typed(resources.listeners),
            ROUTES: _typed(resources.routes),
            SECRETS: _typed(resources.secrets),
        }
    )


def _typed(resources: Mapping[str, Message]) -> TypedResources:
    by_name = {name: packed(message) for name, message in sorted(resources.items())}
    digest = hashlib.sha256()
    for name, message in by_name.items():
        digest.update(name.encode() + b"\0" + message.value)
    return TypedResources(digest.hexdigest()[:16], by_name)
