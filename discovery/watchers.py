"""The watcher that goes with a target."""

import asyncio
import random
import socket
from collections.abc import AsyncGenerator

from discovery.clock import Clock
from discovery.consul_registry import ConsulRegistry
from discovery.instance import Instance
from discovery.memory import memory_registry
from discovery.registry import RegistryError, Watcher
from discovery.target import Target

DNS_INTERVAL_S = 30.0


def watcher_for(target: Target, *, clock: Clock, rng: random.Random) -> Watcher:
    """Build the watcher of a parsed target; nothing is opened before it is used.

    Raises ValueError where the environment (CONSUL_HTTP_ADDR) can't be understood.
    """
    match target.scheme:
        case "consul":
            return ConsulRegistry.from_environment(target.authority, clock=clock, rng=rng)
        case "memory":
            return memory_registry(target.authority)
        case "static":
            return StaticWatcher(target.addresses)
        case "dns":
            return DnsWatcher(target.addresses[0], clock=clock)
        case unknown:
            raise ValueError(f"no watcher for the scheme {unknown!r}")


class StaticWatcher:
    """A fixed list of `host:port`, which never changes."""

    def __init__(self, addresses: tuple[str, ...]) -> None:
        self._addresses = addresses

    async def watch(
        self, service: str, *, tag: str | None = None
    ) -> AsyncGenerator[tuple[Instance, ...], None]:
        yield await self.lookup(service, tag=tag)
        await asyncio.get_running_loop().create_future()

    async def lookup(self, service: str, *, tag: str | None = None) -> tuple[Instance, ...]:
        del tag
        instances = (_instance(service, *_split(address)) for address in self._addresses)
        return tuple(sorted(instances, key=lambda instance: instance.instance_id))


class DnsWatcher:
    """Every address of one name, asked of the system's resolver again and again."""

    def __init__(self, address: str, *, clock: Clock, interval_s: float = DNS_INTERVAL_S) -> None:
        self._host, self._port = _split(address)
        self._clock = clock
        self._interval_s = interval_s

    async def watch(
        self, service: str, *, tag: str | None = None
    ) -> AsyncGenerator[tuple[Instance, ...], None]:
        seen: tuple[Instance, ...] | None = None
        while True:
            listed = await self.lookup(service, tag=tag)
            if listed != seen:
                seen = listed
                yield listed
            await self._clock.sleep(self._interval_s)

    async def lookup(self, service: str, *, tag: str | None = None) -> tuple[Instance, ...]:
        del tag
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise RegistryError(f"{self._host} can't be resolved: {error}") from error
        addresses = sorted({str(socket_address[0]) for *_, socket_address in answers})
        instances = (_instance(service, address, self._port) for address in addresses)
        return tuple(sorted(instances, key=lambda instance: instance.instance_id))


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _instance(service: str, host: str, port: int) -> Instance:
    """An instance known by its address alone, which is its id too."""
    bare = Instance(instance_id="", service=service, address=host, port=port)
    return Instance(instance_id=bare.endpoint, service=service, address=host, port=port)
