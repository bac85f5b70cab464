"""The two halves of a registry: who writes it and who watches it.

A registry is the store of instances (Consul, memory) and nothing else. Every implementation
passes the same contract suite.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from discovery.registry.instance import Instance


class RegistryError(Exception):
    """The registry didn't answer, or answered nonsense; the caller keeps what it knows."""


class Registrar(Protocol):
    """Writes registrations."""

    async def register(self, instance: Instance) -> None:
        """Make the instance known; registering it again replaces it. Raises RegistryError."""
        ...

    async def deregister(self, instance: Instance) -> None:
        """Forget the instance; forgetting an unknown one is no error. Raises RegistryError."""
        ...

    async def is_registered(self, instance: Instance) -> bool:
        """Whether the registry still knows the instance (an agent's restart forgets it)."""
        ...


class Watcher(Protocol):
    """Watches registrations."""

    def watch(self, service: str, *, tag: str | None = None) -> AsyncIterator[tuple[Instance, ...]]:
        """Yield the full list of usable instances now, and again after each change.

        The list is sorted by instance id and may be empty. A yielded list always differs from
        the one before. Raises RegistryError when a look-up fails; the caller backs off and
        watches anew.
        """
        ...

    async def lookup(self, service: str, *, tag: str | None = None) -> tuple[Instance, ...]:
        """One consistent look-up, to confirm a list that became empty. Raises RegistryError."""
        ...


@asynccontextmanager
async def closing(
    lists: AsyncIterator[tuple[Instance, ...]],
) -> AsyncIterator[AsyncIterator[tuple[Instance, ...]]]:
    """Close a watch that is left early with the block, not when the collector finds it."""
    try:
        yield lists
    finally:
        if isinstance(lists, AsyncGenerator):
            await lists.aclose()
