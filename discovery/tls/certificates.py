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

    The SPIFFE id of a certificate names the service that holds it. `current` never waits and never
    raises: a source that can't be read keeps the certificates that it read before, and logs why.
    """

    @property
    def current(self) -> Certificates:
        """The newest certificates."""
        ...

    async def changed(self, known: Certificates) -> Certificates:
        """Wait until the newest certificates are not `known`; return them."""
        ...

    def server_name(self, service: str) -> str:
        """The name that TLS must find in the certificate of a server of `service`."""
        ...

    def service_of(self, spiffe_id: str) -> str:
        """The service that a peer's SPIFFE id names; "" if it is of another trust domain."""
        ...
