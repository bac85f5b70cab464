"""What one client of ADS has asked for and was sent (state of the world). No I/O.

A client asks for a type by name, or for all of it by naming nothing. Each of its requests after a
response either accepts it or rejects it (`error_detail`); a client that rejected a version keeps
the one before, and is sent nothing of that type before there is a newer one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.any_pb2 import Any as AnyMessage

from services.edge.control_plane.snapshot import (
    CLUSTERS,
    ENDPOINTS,
    LISTENERS,
    ORDER,
    ROUTES,
    SECRETS,
    Snapshot,
    TypedResources,
)

# After a new version of one type, Envoy waits for an answer about the type that it refers to, even
# if nothing of that changed.
_REFERS_TO = {CLUSTERS: ENDPOINTS, LISTENERS: ROUTES}
# A client may ask for all resources of these types.
_WILDCARDS = frozenset({CLUSTERS, LISTENERS})


@dataclass(slots=True)
class _Subscription:
    """One type: the names asked for, and the version and nonce of the last response."""

    names: frozenset[str]
    sent_version: str = ""
    sent_nonce: str = ""
    is_due: bool = True


@dataclass(frozen=True, slots=True)
class Rejection:
    """A response that the client didn't accept: a NACK."""

    node: str
    type_url: str
    version: str
    reason: str


@dataclass(slots=True)
class Subscriber:
    """One stream; `node` is the id of the client, known from its first request.

    Only `with_secrets` it is sent private keys.
    """

    with_secrets: bool = False
    node: str = ""
    _subscriptions: dict[str, _Subscription] = field(default_factory=dict)
    _responses: int = 0

    def accept(self, request: discovery_pb2.DiscoveryRequest) -> Rejection | None:
        """Note what the client asks for; return what it rejected, if it did."""
        self.node = self.node or request.node.id
        names = frozenset(request.resource_names)
        known = self._subscriptions.get(request.type_url)
        if known is None:
            self._subscriptions[request.type_url] = _Subscription(names)
            return None
        if request.response_nonce != known.sent_nonce:
            # It answers an older response than the last; its answer to that one will follow.
            return None
        if names != known.names:
            known.names, known.is_due = names, True
        if request.HasField("error_detail"):
            reason = request.error_detail.message
            return Rejection(self.node, request.type_url, known.sent_version, reason)
        return None

    def due(self, snapshot: Snapshot) -> Iterator[discovery_pb2.DiscoveryResponse]:
        """Yield the responses that the client lacks, in the order of types that refer to others."""
        for type_url in ORDER:
            subscription = self._subscriptions.get(type_url)
            if subscription is None or (type_url == SECRETS and not self.with_secrets):
                continue
            typed = snapshot[type_url]
            if subscription.is_due or subscription.sent_version != typed.version:
                yield self._response(type_url, subscription, typed)
                referred = self._subscriptions.get(_REFERS_TO.get(type_url, ""))
                if referred is not None:
                    referred.is_due = True

    def _response(
        self, type_url: str, subscription: _Subscription, typed: TypedResources
    ) -> discovery_pb2.DiscoveryResponse:
        self._responses += 1
        subscription.sent_version = typed.version
        subscription.sent_nonce = str(self._responses)
        subscription.is_due = False
        chosen = _chosen(type_url, subscription.names, typed.by_name)
        return discovery_pb2.DiscoveryResponse(
            type_url=type_url,
            version_info=typed.version,
            nonce=subscription.sent_nonce,
            resources=chosen,
        )


def _chosen(
    type_url: str, names: frozenset[str], by_name: Mapping[str, AnyMessage]
) -> list[AnyMessage]:
    if not names and type_url in _WILDCARDS:
        return list(by_name.values())
    return [message for name, message in by_name.items() if name in names]
