"""The two halves of a registry: `Registrar` writes it, `Watcher` reads it.

A registry is a store of instances (Consul, memory). Implement one or both halves to add another;
docs/client.md has an example. An implementation should raise RegistryError when it fails, but any
other exception is logged and the attempt repeated as well.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol, runtime_checkable

from discovery.registry.instance import Instance


class RegistryError(Exception):
    """The registry didn't answer, or its answer can't be read; the caller keeps its last list."""


class Registrar(Protocol):
    """Registers and deregisters instances."""

    async def register(self, instance: Instance) -> None:
        """Register the instance, or replace its registration. Raises RegistryError."""
        ...

    async def deregister(self, instance: Instance) -> None:
        """Remove the instance; an unknown one is no error. Raises RegistryError."""
        ...

    async def is_registered(self, instance: Instance) -> bool:
        """Whether the instance is registered (an agent forgets it when it restarts)."""
        ...


@runtime_checkable
class KnowsHolder(Protocol):
    """What a registrar adds so that two living processes with one instance id are noticed."""

    async def holder(self, instance: Instance) -> Instance | None:
        """What is registered under the instance's id; None: nothing. Raises RegistryError."""
        ...


class Watcher(Protocol):
    """Lists the instances of a service, and follows their changes."""

    def watch(self, service: str, *, tag: str | None = None) -> AsyncIterator[tuple[Instance, ...]]:
        """Yield the full list of instances now, and again after each change.

        An instance that is registered but must get no calls is left out, or listed as not `usable`.
        The list is sorted by instance id and may be empty. A yielded list always differs from
        the one before. Raises RegistryError when a look-up fails; the caller waits and then starts
        a new watch.
        """
        ...

    async def lookup(self, service: str, *, tag: str | None = None) -> tuple[Instance, ...]:
        """One consistent look-up, used to confirm an empty list. Raises RegistryError."""
        ...


@runtime_checkable
class AsksAtIntervals(Protocol):
    """What a watcher may add if it isn't notified of changes, but asks at intervals."""

    def ask_soon(self) -> None:
        """Ask now rather than at the end of the interval, because a listed instance doesn't serve.

        It is called in the event loop of the watch, at most twice a second.
        """
        ...


@asynccontextmanager
async def closing(
    lists: AsyncIterator[tuple[Instance, ...]],
) -> AsyncIterator[AsyncIterator[tuple[Instance, ...]]]:
    """Close a watch when the block ends, even if it is left early, not at garbage collection."""
    try:
        yield lists
    finally:
        if isinstance(lists, AsyncGenerator):
            await lists.aclose()
