"""The watcher that goes with a target."""

import asyncio
import random
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from urllib.parse import quote

from discovery.clock import Clock
from discovery.registry.consul.registry import ConsulRegistry, snapshot_directory
from discovery.registry.instance import Instance
from discovery.registry.memory import memory_registry
from discovery.registry.protocols import RegistryError, Watcher
from discovery.registry.snapshot import SnapshotWatcher
from discovery.registry.target import Target

# Long enough to spare name servers, short beside the minutes a record usually lives.
DNS_INTERVAL_S = 25.0


def watcher_for(target: Target, *, clock: Clock, rng: random.Random) -> Watcher:
    """Build the watcher of a parsed target, with a snapshot where DISCOVERY_SNAPSHOT_DIR is set.

    Nothing is opened before it is used. Raises ValueError where the environment
    (CONSUL_HTTP_ADDR) can't be understood.
    """
    watcher = registry_of(target, clock=clock, rng=rng)
    directory = snapshot_directory()
    if target.scheme != "consul" or directory is None:
        return watcher
    parts = (target.authority, target.service, target.tag)
    name = "_".join(quote(part, safe="") for part in parts if part)
    return SnapshotWatcher(watcher, directory / f"{name}.json")


def registry_of(target: Target, *, clock: Clock, rng: random.Random) -> Watcher:
    """Build the watcher that asks the target's registry itself. Raises as `watcher_for`."""
    match target.scheme:
        case "consul":
            return ConsulRegistry.from_environment(target.authority, clock=clock, rng=rng)
        case "memory":
            return memory_registry(target.authority)
        case "static":
            return StaticWatcher(target.addresses)
        case "dns":
            return DnsWatcher(target.addresses[0], clock=clock, rng=rng)
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
        return _sorted(_instance(service, *_split(address)) for address in self._addresses)


async def system_addresses(host: str, port: int) -> list[str]:
    """Every address of a name, from the system's resolver. Raises OSError."""
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(socket_address[0]) for *_, socket_address in answers]


class DnsWatcher:
    """Every address of one name, looked up every interval_s x U(0.8, 1.2).

    The jitter keeps the callers that started together from asking together.
    """

    def __init__(
        self,
        address: str,
        *,
        clock: Clock,
        rng: random.Random,
        interval_s: float = DNS_INTERVAL_S,
        ask: Callable[[str, int], Awaitable[list[str]]] = system_addresses,
    ) -> None:
        self._host, self._port = _split(address)
        self._clock = clock
        self._rng = rng
        self._interval_s = interval_s
        self._ask = ask

    async def watch(
        self, service: str, *, tag: str | None = None
    ) -> AsyncGenerator[tuple[Instance, ...], None]:
        seen: tuple[Instance, ...] | None = None
        while True:
            listed = await self.lookup(service, tag=tag)
            if listed != seen:
                seen = listed
                yield listed
            await self._clock.sleep(self._interval_s * self._rng.uniform(0.8, 1.2))

    async def lookup(self, service: str, *, tag: str | None = None) -> tuple[Instance, ...]:
        del tag
        try:
            addresses = set(await self._ask(self._host, self._port))
        except OSError as error:
            raise RegistryError(f"{self._host} can't be resolved: {error}") from error
        return _sorted(_instance(service, address, self._port) for address in addresses)


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _instance(service: str, host: str, port: int) -> Instance:
    """An instance known by its address alone, which is its id too."""
    bare = Instance(instance_id="", service=service, address=host, port=port)
    return Instance(instance_id=bare.endpoint, service=service, address=host, port=port)


def _sorted(instances: Iterable[Instance]) -> tuple[Instance, ...]:
    return tuple(sorted(instances, key=lambda instance: instance.instance_id))
