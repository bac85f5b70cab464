"""A source of certificates that a test holds in its hand."""

import asyncio

from discovery.tls.certificates import Certificates


class MemoryCertificates:
    """Hands out the certificates that the test gave last.

    A service is named by the last segment of a SPIFFE id of the trust domain.
    """

    def __init__(self, certificates: Certificates, *, trust_domain: str = "shop.test") -> None:
        self._current = certificates
        self._prefix = f"spiffe://{trust_domain}/"
        self._changed = asyncio.Event()

    @property
    def current(self) -> Certificates:
        return self._current

    def rotate(self, certificates: Certificates) -> None:
        """Hand out these from now on."""
        self._current = certificates
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self, known: Certificates) -> Certificates:
        while self._current == known:
            await self._changed.wait()
        return self._current

    def server_name(self, service: str) -> str:
        return service

    def service_of(self, spiffe_id: str) -> str:
        is_ours = spiffe_id.startswith(self._prefix)
        return spiffe_id.rpartition("/")[2] if is_ours else ""
