"""Which service is at the other end of a connection, from the certificate that TLS has verified."""

from collections.abc import Callable
from typing import Any, TypeAlias

import grpc

from discovery.tls.certificates import CertificateSource

# The name under which the peer of a call is registered; "" if its certificate names no service.
PeerOf: TypeAlias = Callable[[grpc.aio.ServicerContext[Any, Any]], str]

# gRPC's name for the SPIFFE id of a certificate that has exactly one.
_SPIFFE_ID = "peer_spiffe_id"


def peer_of(source: CertificateSource) -> PeerOf:
    """Return the function that names the peer of a call.

    TLS has checked that the certificate comes from a trusted authority; `source` checks that its
    SPIFFE id is of the own trust domain. Reading it takes 3 us a call, so nothing is kept for a
    connection.
    """

    def peer(context: grpc.aio.ServicerContext[Any, Any]) -> str:
        for spiffe_id in context.auth_context().get(_SPIFFE_ID, ()):
            return source.service_of(spiffe_id.decode("utf-8", "replace"))
        return ""

    return peer
