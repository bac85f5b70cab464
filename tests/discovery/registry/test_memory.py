"""The registry in memory can fail and lose registrations on request."""

import asyncio
from contextlib import aclosing

import pytest

from discovery.registry.instance import Instance
from discovery.registry.memory import MemoryRegistry, memory_registry
from discovery.registry.protocols import RegistryError

A, B = (Instance(f"order-{name}", "order", "10.0.0.1", 50051) for name in "ab")


async def test_a_failure_reaches_watches_under_way() -> None:
    """When the registry fails, waiting watches end with the reason."""
    registry = MemoryRegistry()
    async with aclosing(registry.watch("order")) as lists:
        assert await anext(lists) == ()
        waiting = asyncio.ensure_future(anext(lists))
        registry.fail("connection reset")
        with pytest.raises(RegistryError, match="connection reset"):
            await waiting


async def test_a_recovered_registry_knows_what_it_knew() -> None:
    """An outage loses no registration."""
    registry = MemoryRegistry()
    await registry.register(A)
    registry.fail("connection reset")
    registry.recover()
    assert await registry.lookup("order") == (A,)


async def test_forgetting_is_what_a_restart_does() -> None:
    """`forget` loses the named registrations, or all of them."""
    registry = MemoryRegistry()
    await registry.register(A)
    await registry.register(B)
    registry.forget("order-a")
    assert await registry.lookup("order") == (B,)
    registry.forget()
    assert await registry.lookup("order") == ()


async def test_a_name_is_one_registry() -> None:
    """The same name in one process is the same registry; another name is another one."""
    assert memory_registry("north") is memory_registry("north")
    assert memory_registry("north") is not memory_registry("south")
