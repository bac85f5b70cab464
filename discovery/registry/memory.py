"""A registry inside one process, for tests, simulations and `memory:///` targets."""

import asyncio
from collections.abc import AsyncGenerator

from discovery.registry.instance import Instance
from discovery.registry.protocols import RegistryError


class MemoryRegistry:
    """Implements Registrar and Watcher; belongs to one event loop.

    Tests can make it fail as a real registry does: `fail` makes it unreachable, `forget` loses
    registrations as a restarted agent does.
    """

    def __init__(self) -> None:
        self._instances: dict[tuple[str, str], Instance] = {}
        self._failure: str | None = None
        self._changed: asyncio.Event = asyncio.Event()

    async def register(self, instance: Instance) -> None:
        self._check()
        self._instances[instance.service, instance.instance_id] = instance
        self._wake()

    async def deregister(self, instance: Instance) -> None:
        self._check()
        registered = self._instances.get((instance.service, instance.instance_id))
        if registered is not None and registered.incarnation == instance.incarnation:
            del self._instances[instance.service, instance.instance_id]
            self._wake()

    async def is_registered(self, instance: Instance) -> bool:
        return await self.holder(instance) is not None

    async def holder(self, instance: Instance) -> Instance | None:
        self._check()
        return self._instances.get((instance.service, instance.instance_id))

    async def watch(
        self, service: str, *, tag: str | None = None
    ) -> AsyncGenerator[tuple[Instance, ...], None]:
        seen: tuple[Instance, ...] | None = None
        while True:
            changed = self._changed
            self._check()
            listed = self._listed(service, tag)
            if listed != seen:
                seen = listed
                yield listed
            await changed.wait()

    async def lookup(self, service: str, *, tag: str | None = None) -> tuple[Instance, ...]:
        self._check()
        return self._listed(service, tag)

    def fail(self, reason: str) -> None:
        """Raise RegistryError from every method and running watch, until `recover`."""
        self._failure = reason
        self._wake()

    def recover(self) -> None:
        """Answer again after `fail`."""
        self._failure = None

    def forget(self, *instance_ids: str) -> None:
        """Lose these registrations; all of them if none is named."""
        for key in list(self._instances):
            if not instance_ids or key[1] in instance_ids:
                del self._instances[key]
        self._wake()

    def _listed(self, service: str, tag: str | None) -> tuple[Instance, ...]:
        wanted = (
            instance
            for instance in self._instances.values()
            if instance.service == service and (tag is None or tag in instance.tags)
        )
        return tuple(sorted(wanted, key=lambda instance: instance.instance_id))

    def _check(self) -> None:
        if self._failure is not None:
            raise RegistryError(self._failure)

    def _wake(self) -> None:
        """Wake every watch; each compares the list with the one it yielded last."""
        self._changed.set()
        self._changed = asyncio.Event()


_REGISTRIES: dict[str, MemoryRegistry] = {}


def memory_registry(name: str = "") -> MemoryRegistry:
    """The registry that `memory://name/...` watches in this process; made on first use."""
    return _REGISTRIES.setdefault(name, MemoryRegistry())
