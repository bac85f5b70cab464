"""A caller that starts while the registry is down uses the last list on disk."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from discovery.registry.instance import Instance, Resolution
from discovery.registry.memory import MemoryRegistry
from discovery.registry.protocols import RegistryError
from discovery.registry.resolver import Resolver
from discovery.registry.schemes import watcher_for
from discovery.registry.snapshot import SnapshotWatcher
from discovery.registry.target import parse_target
from tests.support.clock.manual_clock import ManualClock

A, B = (
    Instance(
        f"order-{name}", "order", "10.0.0.1", 50051, ("v2",), {"version": "1"}, 3, incarnation="x"
    )
    for name in "ab"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The snapshot's file, not yet written."""
    return tmp_path / "order.json"


@asynccontextmanager
async def _resolving(
    registry: MemoryRegistry, path: Path
) -> AsyncIterator["asyncio.Queue[Resolution]"]:
    """A caller's resolver; its clock doesn't move."""
    published: asyncio.Queue[Resolution] = asyncio.Queue()
    resolver = Resolver(
        service="order",
        tag=None,
        watcher=SnapshotWatcher(registry, path),
        clock=ManualClock(),
        rng=random.Random(1),
        publish=published.put_nowait,
        is_serving=lambda _: False,
    )
    running = asyncio.create_task(resolver.run())
    try:
        yield published
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _next(published: "asyncio.Queue[Resolution]") -> Resolution:
    return await asyncio.wait_for(published.get(), 60)


async def _write_a_snapshot(path: Path) -> None:
    """An earlier caller that saw A and B, and then an empty list."""
    registry = MemoryRegistry()
    await registry.register(A)
    await registry.register(B)
    async with _resolving(registry, path) as published:
        await _next(published)
        registry.forget()
        assert await _next(published) == Resolution(2, ())


async def test_a_cold_start_with_the_registry_down(path: Path) -> None:
    """It begins with the complete last list, and with the registry's error."""
    await _write_a_snapshot(path)
    registry = MemoryRegistry()
    registry.fail("connection refused")
    async with _resolving(registry, path) as published:
        assert await _next(published) == Resolution(1, (A, B))
        assert await _next(published) == Resolution(2, (A, B), "connection refused")


async def test_an_empty_list_is_not_kept(path: Path) -> None:
    """For a caller that starts during an outage, old instances are better than none."""
    registry = MemoryRegistry()
    await registry.register(A)
    async with aclosing(SnapshotWatcher(registry, path).watch("order")) as lists:
        assert await anext(lists) == (A,)
        registry.forget()
        assert await anext(lists) == ()
        registry.fail("connection refused")
        with pytest.raises(RegistryError):
            await anext(lists)

    async with aclosing(SnapshotWatcher(registry, path).watch("order")) as lists:
        assert await anext(lists) == (A,)


async def test_a_registry_that_answers_is_believed(path: Path) -> None:
    """If the registry answers, the snapshot isn't used, even if the answer is an empty list."""
    await _write_a_snapshot(path)
    async with _resolving(MemoryRegistry(), path) as published:
        assert await _next(published) == Resolution(1, ())


async def test_a_later_failure_does_not_bring_the_snapshot_back(path: Path) -> None:
    """After an answer of the registry, its last list stays, not the file's."""
    await _write_a_snapshot(path)
    registry = MemoryRegistry()
    async with _resolving(registry, path) as published:
        await _next(published)
        registry.fail("connection refused")
        assert await _next(published) == Resolution(2, (), "connection refused")


@pytest.mark.parametrize("content", ["", "{", "[{}]", "[1]", '{"id": 1}'])
async def test_a_broken_snapshot_is_no_snapshot(path: Path, content: str) -> None:
    """A file that can't be read is logged, and the start fails as without one."""
    await asyncio.to_thread(path.write_text, content)
    registry = MemoryRegistry()
    registry.fail("connection refused")
    async with _resolving(registry, path) as published:
        assert await _next(published) == Resolution(1, (), "connection refused")


async def test_a_snapshot_that_can_t_be_written(tmp_path: Path) -> None:
    """If the disk is full or missing, resolving goes on."""
    registry = MemoryRegistry()
    await registry.register(A)
    async with _resolving(registry, tmp_path / "missing" / "order.json") as published:
        assert await _next(published) == Resolution(1, (A,))
        await registry.register(B)
        assert await _next(published) == Resolution(2, (A, B))


def test_a_folder_of_snapshots_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With DISCOVERY_SNAPSHOT_DIR each Consul target has a snapshot; without it, none."""
    target = parse_target("consul://10.0.0.9:8500/order?tag=v2")
    clock, rng = ManualClock(), random.Random(1)
    assert not isinstance(watcher_for(target, clock=clock, rng=rng), SnapshotWatcher)
    monkeypatch.setenv("DISCOVERY_SNAPSHOT_DIR", str(tmp_path))
    assert isinstance(watcher_for(target, clock=clock, rng=rng), SnapshotWatcher)
