"""The certificates of a process, and the extension point where they come from."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Certificates:
    """What one side of a mutual TLS connection needs, each in PEM.

    `chain` is the process's own certificate followed by its intermediates, `key` its private key,
    and `roots` are the certificates of the authorities that it trusts.
    """

    chain: bytes
    key: bytes = field(repr=False)
    roots: bytes


class CertificateSource(Protocol):
    """Where a process's certificates come from, and how they name services.

    The SPIFFE id of a certificate names the service that holds it. A source has no task or thread
    of its own: it looks for newer certificates while somebody waits in `changed`, in any event
    loop. A channel does that by itself; so must a server.
    """

    @property
    def current(self) -> Certificates:
        """The newest certificates that were read.

        It never waits and never raises: a source that can't be read, or holds a certificate that
        doesn't fit its key, keeps the certificates that it read before, and logs why.
        """
        ...

    async def changed(self, known: Certificates) -> Certificates:
        """Wait until the newest certificates are not `known`; return them."""
        ...

    def server_name(self, service: str) -> str:
        """The name that TLS must find in the certificate of a server of `service`.

        Raises InvalidCertificatesError if no certificate could prove this name.
        """
        ...

    def service_of(self, spiffe_id: str) -> str:
        """The service that a peer's SPIFFE id names; "" if it is of another trust domain."""
        ...
