"""The contract of every registry, tested with the one in memory and a real Consul agent."""

import asyncio
import random
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from itertools import count
from typing import Protocol

import pytest

from discovery.clock import SystemClock
from discovery.registry.consul.registry import CheckSettings, ConsulRegistry
from discovery.registry.instance import Instance
from discovery.registry.memory import MemoryRegistry
from discovery.registry.protocols import Registrar, RegistryError, Watcher
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent
from tests.support.limits import WAIT_S

_NUMBERS = count()
# Nothing listens at the addresses of these instances, so Consul must not check them.
_UNCHECKED = CheckSettings(interval_s=3600)


class Registry(Registrar, Watcher, Protocol):
    """A registry that can be written and watched; its watch can be closed."""

    def watch(
        self, service: str, *, tag: str | None = None
    ) -> AsyncGenerator[tuple[Instance, ...], None]: ...


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    """One agent for all tests; each test has a service of its own."""
    with consul_agent() as running:
        yield running


@pytest.fixture(params=["memory", "consul"])
async def registry(request: pytest.FixtureRequest) -> AsyncIterator[Registry]:
    """Each registry in turn, which works."""
    if request.param == "memory":
        yield MemoryRegistry()
        return
    consul = _consul(request.getfixturevalue("agent").address)
    yield consul
    await consul.close()


@pytest.fixture(params=["memory", "consul"])
async def unreachable(request: pytest.FixtureRequest) -> AsyncIterator[Registry]:
    """Each registry in turn, which cannot be reached."""
    if request.param == "memory":
        memory = MemoryRegistry()
        memory.fail("the registry is down")
        yield memory
        return
    with socket.socket() as never_listening:
        never_listening.bind(("127.0.0.1", 0))
        consul = _consul(f"127.0.0.1:{never_listening.getsockname()[1]}")
        yield consul
        await consul.close()


@pytest.fixture
def service() -> str:
    """A service that no other test uses."""
    return f"order-{next(_NUMBERS)}"


def _consul(address: str) -> ConsulRegistry:
    return ConsulRegistry(address, clock=SystemClock(), rng=random.Random(7), check=_UNCHECKED)


def _instance(service: str, number: int = 1) -> Instance:
    return Instance(
        instance_id=f"{service}-slot-{number}",
        service=service,
        address="127.0.0.1",
        port=50050 + number,
        tags=("v2", "blue"),
        meta={"version": "1.4.0", "protocol": "grpc"},
        weight=3,
        incarnation="first",
    )


async def _until(
    lists: AsyncIterator[tuple[Instance, ...]],
    wanted: Callable[[tuple[Instance, ...]], bool],
) -> tuple[Instance, ...]:
    async with asyncio.timeout(WAIT_S):
        async for instances in lists:
            if wanted(instances):
                return instances
    raise AssertionError("the watch ended")


async def test_a_service_without_instances(registry: Registry, service: str) -> None:
    """A service without instances has an empty list, which a watch yields at once."""
    assert await registry.lookup(service) == ()
    async with aclosing(registry.watch(service)) as lists:
        assert await anext(lists) == ()


async def test_a_registered_instance_is_found_unchanged(registry: Registry, service: str) -> None:
    """A lookup returns id, address, tags, meta, weight and incarnation as registered."""
    instance = _instance(service)
    await registry.register(instance)
    assert await registry.lookup(service) == (instance,)
    assert await registry.is_registered(instance)


async def test_registering_again_replaces(registry: Registry, service: str) -> None:
    """An instance with the same id and a new incarnation replaces the old one."""
    await registry.register(_instance(service))
    restarted = replace(_instance(service), incarnation="second", weight=1, port=50099)
    await registry.register(restarted)
    assert await registry.lookup(service) == (restarted,)


async def test_a_watch_follows_every_change(registry: Registry, service: str) -> None:
    """A watch yields the full list, sorted by id, after each change."""
    first, second = _instance(service, 1), _instance(service, 2)
    async with aclosing(registry.watch(service)) as lists:
        assert await anext(lists) == ()
        await registry.register(second)
        assert await _until(lists, lambda listed: len(listed) == 1) == (second,)
        await registry.register(first)
        assert await _until(lists, lambda listed: len(listed) == 2) == (first, second)
        await registry.deregister(second)
        assert await _until(lists, lambda listed: len(listed) == 1) == (first,)


async def test_a_watch_yields_only_differences(registry: Registry, service: str) -> None:
    """Registering an equal instance again, or another service, yields nothing."""
    first, second = _instance(service, 1), _instance(service, 2)
    await registry.register(first)
    async with aclosing(registry.watch(service)) as lists:
        assert await anext(lists) == (first,)
        following = asyncio.ensure_future(anext(lists))
        await registry.register(first)
        await registry.register(_instance(f"{service}-other"))
        await registry.register(second)
        assert await asyncio.wait_for(following, 60) == (first, second)


async def test_a_tag_selects(registry: Registry, service: str) -> None:
    """With a tag, lookup and watch return only the instances that have it."""
    plain = replace(_instance(service, 1), tags=())
    tagged = replace(_instance(service, 2), tags=("canary",))
    await registry.register(plain)
    await registry.register(tagged)
    assert await registry.lookup(service, tag="canary") == (tagged,)
    async with aclosing(registry.watch(service, tag="canary")) as lists:
        assert await anext(lists) == (tagged,)


async def test_deregistering_removes_the_instance(registry: Registry, service: str) -> None:
    """A deregistered instance is in no list and isn't registered."""
    instance = _instance(service)
    await registry.register(instance)
    await registry.deregister(instance)
    assert await registry.lookup(service) == ()
    assert not await registry.is_registered(instance)


async def test_deregistering_an_unknown_instance_is_no_error(
    registry: Registry, service: str
) -> None:
    """Deregistering an instance that is not registered raises nothing."""
    await registry.deregister(_instance(service))
    assert not await registry.is_registered(_instance(service))


async def test_deregistering_keeps_a_newer_incarnation(registry: Registry, service: str) -> None:
    """Deregistering an old incarnation leaves a newer one with the same id registered."""
    old, new = _instance(service), replace(_instance(service), incarnation="second")
    await registry.register(old)
    await registry.register(new)
    await registry.deregister(old)
    assert await registry.lookup(service) == (new,)


async def test_closing_a_watch_leaves_the_others_working(registry: Registry, service: str) -> None:
    """A closed watch does not affect other watches or the registry."""
    instance = _instance(service)
    async with aclosing(registry.watch(service)) as lists:
        assert await anext(lists) == ()
        async with aclosing(registry.watch(service)) as closed_early:
            assert await anext(closed_early) == ()
        await registry.register(instance)
        assert await asyncio.wait_for(anext(lists), 60) == (instance,)


async def test_a_cancelled_watch_ends(registry: Registry, service: str) -> None:
    """Cancelling the task that waits in a watch ends the watch."""
    async with aclosing(registry.watch(service)) as lists:
        assert await anext(lists) == ()
        waiting = asyncio.ensure_future(anext(lists))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(StopAsyncIteration):
            await anext(lists)


async def test_a_registry_that_is_down(unreachable: Registry, service: str) -> None:
    """Every operation on an unreachable registry raises RegistryError."""
    instance = _instance(service)
    with pytest.raises(RegistryError):
        await unreachable.register(instance)
    with pytest.raises(RegistryError):
        await unreachable.deregister(instance)
    with pytest.raises(RegistryError):
        await unreachable.is_registered(instance)
    with pytest.raises(RegistryError):
        await unreachable.lookup(service)
    with pytest.raises(RegistryError):
        await anext(unreachable.watch(service))
