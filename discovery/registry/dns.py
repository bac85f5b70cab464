"""Watches all addresses of a DNS name: targets of the form `dns://[server]/name[:port]`."""

import asyncio
import random
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable

from discovery.clock import Clock
from discovery.registry.addresses import instances_at, split_address
from discovery.registry.cancellation import raise_if_cancelled
from discovery.registry.instance import Instance
from discovery.registry.protocols import RegistryError

# Rare enough to spare name servers; records usually live for minutes.
DNS_INTERVAL_S = 25.0


async def system_addresses(host: str, port: int) -> list[tuple[str, int]]:
    """Every address of a name with the port, from the system's resolver. Raises OSError."""
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(str(socket_address[0]), port) for *_, socket_address in answers]


class DnsWatcher:
    """Implements Watcher for one `name:port`, looked up every interval_s x U(0.8, 1.2).

    Without a port `ask` is called with port 0, and finds the ports, too.

    It is looked up sooner while an instance doesn't serve (`ask_soon`). The jitter keeps callers
    that started together from asking together.
    """

    def __init__(
        self,
        address: str,
        *,
        clock: Clock,
        rng: random.Random,
        interval_s: float = DNS_INTERVAL_S,
        ask: Callable[[str, int], Awaitable[list[tuple[str, int]]]] = system_addresses,
    ) -> None:
        self._host, self._port = split_address(address) if ":" in address else (address, 0)
        self._clock = clock
        self._rng = rng
        self._interval_s = interval_s
        self._ask = ask
        self._soon: asyncio.Event | None = None

    async def watch(
        self, service: str, *, tag: str | None = None
    ) -> AsyncGenerator[tuple[Instance, ...], None]:
        seen: tuple[Instance, ...] | None = None
        # Made here, because an event belongs to one event loop, and each process has its own.
        soon = self._soon = asyncio.Event()
        while True:
            soon.clear()
            listed = await self.lookup(service, tag=tag)
            raise_if_cancelled()
            if listed != seen:
                seen = listed
                yield listed
            await self._pause(soon)

    def ask_soon(self) -> None:
        """Look the name up now rather than at the end of the interval."""
        if self._soon is not None:
            self._soon.set()

    async def _pause(self, soon: asyncio.Event) -> None:
        """Wait for the next interval, or until the name is to be looked up sooner."""
        interval_s = self._interval_s * self._rng.uniform(0.8, 1.2)
        either = [
            asyncio.ensure_future(self._clock.sleep(interval_s)),
            asyncio.ensure_future(soon.wait()),
        ]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiting in either:
                waiting.cancel()

    async def lookup(self, service: str, *, tag: str | None = None) -> tuple[Instance, ...]:
        del tag
        try:
            found = set(await self._ask(self._host, self._port))
        except OSError as error:
            raise RegistryError(f"{self._host} can't be resolved: {error}") from error
        return instances_at(service, found)
