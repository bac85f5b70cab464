"""Which answers of a registry the resolver accepts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from discovery.registry.instance import Instance, Resolution
from discovery.registry.memory import MemoryRegistry
from discovery.registry.protocols import RegistryError
from tests.support.discovery.running_resolver import A, B, C, ResolverUnderTest, registry_of


class ScriptedWatcher:
    """A watcher whose watch and look-up answer differently."""

    def __init__(self) -> None:
        self.lists: asyncio.Queue[tuple[Instance, ...]] = asyncio.Queue()
        self.second_opinion: tuple[Instance, ...] | RegistryError = ()

    async def watch(
        self, service: str, *, tag: str | None = None
    ) -> AsyncIterator[tuple[Instance, ...]]:
        del service, tag
        while True:
            yield await self.lists.get()

    async def lookup(self, service: str, *, tag: str | None = None) -> tuple[Instance, ...]:
        del service, tag
        if isinstance(self.second_opinion, RegistryError):
            raise self.second_opinion
        return self.second_opinion


async def test_each_change_is_published_whole() -> None:
    """A resolution is the full list, and each change raises its version by one."""
    registry = await registry_of(A)
    async with ResolverUnderTest(registry).open() as resolver:
        await registry.register(B)
        await resolver.clock.settle()
        assert resolver.published == [Resolution(1, (A,)), Resolution(2, (A, B))]


async def test_a_failed_start_is_published() -> None:
    """If the first look-up fails, callers get the error instead of waiting."""
    registry = MemoryRegistry()
    registry.fail("connection refused")
    async with ResolverUnderTest(registry).open() as resolver:
        assert resolver.published == [Resolution(1, (), "connection refused")]


async def test_a_confirmed_empty_list_is_believed() -> None:
    """After its last instance has left and stopped serving, a service has no instances."""
    registry = await registry_of(A)
    async with ResolverUnderTest(registry).open() as resolver:
        await registry.deregister(A)
        await resolver.clock.settle()
        assert resolver.latest == Resolution(2, ())


async def test_an_empty_list_that_a_look_up_contradicts() -> None:
    """If the watch sees no instances but a look-up does, the look-up counts."""
    watcher = ScriptedWatcher()
    async with ResolverUnderTest(watcher).open() as resolver:
        watcher.lists.put_nowait((A, B))
        await resolver.clock.settle()
        watcher.second_opinion = (A,)
        watcher.lists.put_nowait(())
        await resolver.clock.settle()
        assert resolver.latest == Resolution(2, (A,))


async def test_an_empty_list_that_cannot_be_confirmed() -> None:
    """If the confirming look-up fails, the last good list stays."""
    watcher = ScriptedWatcher()
    async with ResolverUnderTest(watcher).open() as resolver:
        watcher.lists.put_nowait((A, B))
        await resolver.clock.settle()
        watcher.second_opinion = RegistryError("no leader")
        watcher.lists.put_nowait(())
        await resolver.clock.settle()
        assert resolver.latest == Resolution(2, (A, B), "no leader")


async def test_a_vanished_instance_that_serves_is_kept_for_15_s() -> None:
    """An instance that isn't listed but serves is dropped after 15 s, not before."""
    registry = await registry_of(A, B)
    async with ResolverUnderTest(registry, serving={A, B}).open() as resolver:
        registry.forget(A.instance_id)
        await resolver.clock.advance(14.9)
        assert resolver.latest.instances == (A, B)
        await resolver.clock.advance(1.1)
        assert resolver.latest == Resolution(2, (B,))


@asynccontextmanager
async def _forgotten(registry: MemoryRegistry) -> AsyncIterator[ResolverUnderTest]:
    """A resolver whose registry has forgotten both instances a minute ago; they still serve."""
    async with ResolverUnderTest(registry, serving={A, B}).open() as resolver:
        for instance in (A, B):
            registry.forget(instance.instance_id)
        await resolver.clock.advance(60)
        yield resolver


async def test_the_last_instances_that_serve_are_kept_until_another_one_is_listed() -> None:
    """A registry that lists nobody takes no caller from whoever serves, however long it lasts."""
    registry = await registry_of(A, B)
    async with _forgotten(registry) as resolver:
        assert resolver.latest.instances == (A, B)
        await registry.register(A)
        await resolver.clock.advance(14.9)
        assert resolver.latest.instances == (A, B)
        await resolver.clock.advance(1.1)
        assert resolver.latest.instances == (A,)


async def test_of_the_last_instances_those_that_stop_serving_are_dropped() -> None:
    """A service that was stopped has no instances, although nobody took its place."""
    async with _forgotten(await registry_of(A, B)) as resolver:
        resolver.serving.discard(A)
        await resolver.clock.advance(1)
        assert resolver.latest.instances == (B,)
        resolver.serving.discard(B)
        await resolver.clock.advance(1)
        assert resolver.latest.instances == ()


async def test_a_vanished_instance_that_doesn_t_serve_is_dropped() -> None:
    """An instance that said NOT_SERVING is dropped as soon as it isn't listed."""
    registry = await registry_of(A, B)
    async with ResolverUnderTest(registry, serving={B}).open() as resolver:
        await registry.deregister(A)
        await resolver.clock.settle()
        assert resolver.latest == Resolution(2, (B,))


async def test_an_instance_that_is_listed_as_not_usable_is_dropped() -> None:
    """What the registry lists is believed at once, even of an instance that serves, and of all."""
    registry = await registry_of(A, B)
    async with ResolverUnderTest(registry, serving={A, B}).open() as resolver:
        await registry.register(replace(A, usable=False))
        await resolver.clock.settle()
        assert resolver.latest == Resolution(2, (B,))
        await registry.register(replace(B, usable=False))
        await resolver.clock.settle()
        assert resolver.latest == Resolution(3, ())
        await registry.register(A)
        await resolver.clock.settle()
        assert resolver.latest == Resolution(4, (A,))


async def test_a_vanished_instance_that_is_listed_as_not_usable_is_dropped() -> None:
    """An instance that an agent lost and then lists as not usable isn't kept any longer."""
    registry = await registry_of(A, B)
    async with ResolverUnderTest(registry, serving={A, B}).open() as resolver:
        registry.forget(A.instance_id)
        await resolver.clock.advance(3)
        assert resolver.latest.instances == (A, B)
        await registry.register(replace(A, usable=False))
        await resolver.clock.settle()
        assert resolver.latest == Resolution(2, (B,))


async def test_a_kept_instance_that_stops_serving_is_dropped() -> None:
    """It is dropped within a second."""
    registry = await registry_of(A, B)
    async with ResolverUnderTest(registry, serving={A, B}).open() as resolver:
        registry.forget(A.instance_id)
        await resolver.clock.advance(3)
        resolver.serving.discard(A)
        await resolver.clock.advance(1)
        assert resolver.latest == Resolution(2, (B,))


async def test_an_instance_that_came_back_leaves_like_any_other() -> None:
    """A kept instance that was listed again is dropped at once when it stops and leaves."""
    registry = await registry_of(A, B)
    async with ResolverUnderTest(registry, serving={A, B}).open() as resolver:
        registry.forget(A.instance_id)
        await resolver.clock.advance(3)
        await registry.register(A)
        await resolver.clock.settle()
        resolver.serving.discard(A)
        await registry.deregister(A)
        await resolver.clock.settle()
        assert resolver.latest == Resolution(2, (B,))


async def test_a_restarted_agent_goes_unnoticed() -> None:
    """While an agent's list is empty, partial and full again, serving instances stay listed."""
    registry = await registry_of(A, B, C)
    async with ResolverUnderTest(registry, serving={A, B, C}).open() as resolver:
        registry.forget()
        await resolver.clock.advance(1)
        for instance in (C, A, B):
            await registry.register(instance)
            await resolver.clock.advance(1)
        await resolver.clock.advance(60)
        assert resolver.published == [Resolution(1, (A, B, C))]


async def test_a_new_incarnation_replaces_the_old_one_at_once() -> None:
    """A new incarnation with the same id replaces the old one even if that still serves."""
    registry = await registry_of(A)
    restarted = replace(A, incarnation="second", port=50052)
    async with ResolverUnderTest(registry, serving={A}).open() as resolver:
        await registry.register(restarted)
        await resolver.clock.settle()
        assert resolver.latest == Resolution(2, (restarted,))


async def test_one_line_is_logged_for_each_change(caplog: pytest.LogCaptureFixture) -> None:
    """Each change is logged once; a look-up without a change isn't logged."""
    registry = await registry_of(A)
    with caplog.at_level("INFO", logger="discovery.registry.resolver"):
        async with ResolverUnderTest(registry).open() as resolver:
            registry.fail("connection refused")
            await resolver.clock.advance(120)
    lines = [one for one in caplog.records if one.name == "discovery.registry.resolver"]
    assert [line.levelname for line in lines] == ["INFO", "WARNING"]
    assert "the last good list stays: connection refused" in lines[-1].message


async def test_a_cancelled_resolver_closes_its_watch() -> None:
    """Cancelling the resolver closes its watch."""
    closed = asyncio.Event()

    class Closing(ScriptedWatcher):
        async def watch(
            self, service: str, *, tag: str | None = None
        ) -> AsyncIterator[tuple[Instance, ...]]:
            del service, tag
            try:
                yield (A,)
                await asyncio.Event().wait()
            finally:
                closed.set()

    async with ResolverUnderTest(Closing()).open() as resolver:
        assert resolver.latest.instances == (A,)
        assert not closed.is_set()
    assert closed.is_set()
