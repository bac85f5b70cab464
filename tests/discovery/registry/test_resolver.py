"""How far the resolver believes a registry."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from discovery.registry.instance import Instance, Resolution
from discovery.registry.memory import MemoryRegistry
from discovery.registry.protocols import RegistryError
from tests.support.discovery.scripted_registry import A, B, C, Shop, registry_of


class ScriptedWatcher:
    """A watcher whose watch and look-up say different things."""

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
    """A resolution is the full list, and each change grows its version by one."""
    registry = await registry_of(A)
    async with Shop(registry).open() as shop:
        await registry.register(B)
        await shop.clock.settle()
        assert shop.published == [Resolution(1, (A,)), Resolution(2, (A, B))]


async def test_a_failed_start_is_published() -> None:
    """When the very first look-up fails, callers hear of it instead of waiting in the dark."""
    registry = MemoryRegistry()
    registry.fail("connection refused")
    async with Shop(registry).open() as shop:
        assert shop.published == [Resolution(1, (), "connection refused")]


async def test_a_confirmed_empty_list_is_believed() -> None:
    """A service whose last instance left, and doesn't serve, has no instances."""
    registry = await registry_of(A)
    async with Shop(registry).open() as shop:
        await registry.deregister(A)
        await shop.clock.settle()
        assert shop.latest == Resolution(2, ())


async def test_an_empty_list_that_a_look_up_contradicts() -> None:
    """Of an empty watch and a look-up that finds instances, the look-up is believed."""
    watcher = ScriptedWatcher()
    async with Shop(watcher).open() as shop:
        watcher.lists.put_nowait((A, B))
        await shop.clock.settle()
        watcher.second_opinion = (A,)
        watcher.lists.put_nowait(())
        await shop.clock.settle()
        assert shop.latest == Resolution(2, (A,))


async def test_an_empty_list_that_nobody_confirms() -> None:
    """An empty list whose confirmation fails leaves the last good one in place."""
    watcher = ScriptedWatcher()
    async with Shop(watcher).open() as shop:
        watcher.lists.put_nowait((A, B))
        await shop.clock.settle()
        watcher.second_opinion = RegistryError("no leader")
        watcher.lists.put_nowait(())
        await shop.clock.settle()
        assert shop.latest == Resolution(2, (A, B), "no leader")


async def test_a_vanished_instance_that_serves_is_kept_for_15_s() -> None:
    """An instance that left the list but answers is dropped after 15 s, not before."""
    registry = await registry_of(A, B)
    async with Shop(registry, serving={A, B}).open() as shop:
        registry.forget(A.instance_id)
        await shop.clock.advance(14.9)
        assert shop.latest.instances == (A, B)
        await shop.clock.advance(1.1)
        assert shop.latest == Resolution(2, (B,))


async def test_a_vanished_instance_that_doesn_t_serve_is_dropped() -> None:
    """An instance that said NOT_SERVING before it left the list is gone with it."""
    registry = await registry_of(A, B)
    async with Shop(registry, serving={B}).open() as shop:
        await registry.deregister(A)
        await shop.clock.settle()
        assert shop.latest == Resolution(2, (B,))


async def test_a_kept_instance_that_stops_serving_is_dropped() -> None:
    """A vanished instance is kept only while it serves; within a second it is let go."""
    registry = await registry_of(A, B)
    async with Shop(registry, serving={A, B}).open() as shop:
        registry.forget(A.instance_id)
        await shop.clock.advance(3)
        shop.serving.discard(A)
        await shop.clock.advance(1)
        assert shop.latest == Resolution(2, (B,))


async def test_an_instance_that_came_back_leaves_like_any_other() -> None:
    """Listed again it isn't kept any more: when it stops and leaves, it is gone at once."""
    registry = await registry_of(A, B)
    async with Shop(registry, serving={A, B}).open() as shop:
        registry.forget(A.instance_id)
        await shop.clock.advance(3)
        await registry.register(A)
        await shop.clock.settle()
        shop.serving.discard(A)
        await registry.deregister(A)
        await shop.clock.settle()
        assert shop.latest == Resolution(2, (B,))


async def test_a_restarted_agent_goes_unnoticed() -> None:
    """Empty, then partial, then full: callers see no change while their instances serve."""
    registry = await registry_of(A, B, C)
    async with Shop(registry, serving={A, B, C}).open() as shop:
        registry.forget()
        await shop.clock.advance(1)
        for instance in (C, A, B):
            await registry.register(instance)
            await shop.clock.advance(1)
        await shop.clock.advance(60)
        assert shop.published == [Resolution(1, (A, B, C))]


async def test_a_new_incarnation_takes_its_place_at_once() -> None:
    """The same id, started anew, replaces the old one although that one still serves."""
    registry = await registry_of(A)
    restarted = replace(A, incarnation="second", port=50052)
    async with Shop(registry, serving={A}).open() as shop:
        await registry.register(restarted)
        await shop.clock.settle()
        assert shop.latest == Resolution(2, (restarted,))


async def test_one_line_is_logged_for_each_change(caplog: pytest.LogCaptureFixture) -> None:
    """The log tells each change once, and nothing of look-ups that changed nothing."""
    registry = await registry_of(A)
    with caplog.at_level("INFO", logger="discovery.registry.resolver"):
        async with Shop(registry).open() as shop:
            registry.fail("connection refused")
            await shop.clock.advance(120)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
    assert "the last good list stays: connection refused" in caplog.records[-1].message


async def test_a_cancelled_resolver_closes_its_watch() -> None:
    """The owner who cancels the resolver leaves no watch behind."""
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

    async with Shop(Closing()).open() as shop:
        assert shop.latest.instances == (A,)
        assert not closed.is_set()
    assert closed.is_set()
