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
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def current(self) -> Certificates:
        return self._current

    def rotate(self, certificates: Certificates) -> None:
        """Hand out these from now on, in every event loop."""
        self._current = certificates
        for waiter in list(self._waiting):
            waiter.get_loop().call_soon_threadsafe(_wake, waiter)

    async def changed(self, known: Certificates) -> Certificates:
        while True:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.add(waiter)
            waiter.add_done_callback(self._waiting.discard)
            # Only now: whoever rotates from here on finds the waiter.
            if self._current != known:
                waiter.cancel()
                return self._current
            await waiter

    def server_name(self, service: str) -> str:
        return service

    def service_of(self, spiffe_id: str) -> str:
        is_ours = spiffe_id.startswith(self._prefix)
        return spiffe_id.rpartition("/")[2] if is_ours else ""


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
