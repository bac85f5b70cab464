"""Connections that are secured by the certificates of a source: both sides prove who they are."""

from collections.abc import Iterable
from typing import Any

import grpc

from discovery.errors import InvalidCertificatesError
from discovery.registry.target import Target
from discovery.tls.certificates import Certificates, CertificateSource

_NAME = "grpc.ssl_target_name_override"


class MutualTls:
    """Credentials of connections to one service, made of the newest certificates.

    TLS checks the service's name in the certificate of the server, whatever its address is.
    """

    def __init__(self, source: CertificateSource, service: str) -> None:
        self.source = source
        self._service = service
        self._made: tuple[Certificates, grpc.ChannelCredentials] | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """The credentials for a connection that is made now."""
        newest = self.source.current
        if self._made is None or self._made[0] != newest:
            made = grpc.ssl_channel_credentials(newest.roots, newest.key, newest.chain)
            self._made = (newest, made)
        return self._made[1]

    def option(self) -> tuple[str, str]:
        """The channel argument that says which name TLS must find."""
        return (_NAME, self.source.server_name(self._service))


def mutual_tls(
    target: Target,
    certificates: CertificateSource | None,
    *,
    credentials: grpc.ChannelCredentials | None,
    authority: str | None,
    options: Iterable[tuple[str, Any]],
) -> MutualTls | None:
    """Return how connections to the target are secured by certificates; None: by none.

    A server must prove the name in the target, or `authority` where that is given. Raises
    ValueError if something else says how to secure connections too, and InvalidCertificatesError
    if there is no name, or it is one that no certificate can prove.
    """
    if certificates is None:
        return None
    if credentials is not None:
        raise ValueError("a channel takes `credentials` or `certificates`, not both")
    if _NAME in dict(options):
        raise ValueError(
            f"{_NAME} can't be given with `certificates`, which have names of their own"
        )
    service = authority or ("" if target.addresses else target.service)
    if not service:
        raise InvalidCertificatesError(
            f"certificates prove the name of a service, and {target.scheme}: names only addresses;"
            " name the service by `authority`"
        )
    certificates.server_name(service)
    return MutualTls(certificates, service)
