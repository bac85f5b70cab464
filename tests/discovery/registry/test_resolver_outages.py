"""What a caller knows while its registry doesn't answer, and how soon it learns of changes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from discovery.registry.instance import Instance, Resolution
from discovery.registry.memory import MemoryRegistry
from discovery.registry.protocols import RegistryError
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.running_resolver import A, B, ResolverUnderTest, registry_of


class FailingWatcher:
    """A watcher that lists some instances once, and then fails while `error` is set."""

    def __init__(self, *listed: Instance, error: BaseException | None = None) -> None:
        self.clock = ManualClock()
        self.asked_s: list[float] = []
        self.listed: Any = listed
        self.error: BaseException | None = error or RegistryError("connection refused")

    @property
    def waits_s(self) -> list[float]:
        """The seconds between two look-ups."""
        return [later - earlier for earlier, later in pairwise(self.asked_s)]

    async def watch(
        self, service: str, *, tag: str | None = None
    ) -> AsyncIterator[tuple[Instance, ...]]:
        del service, tag
        self.asked_s.append(self.clock.monotonic())
        if self.error is None or len(self.asked_s) == 1:
            yield self.listed
        if self.error is not None:
            raise self.error
        await asyncio.get_running_loop().create_future()

    async def lookup(self, service: str, *, tag: str | None = None) -> tuple[Instance, ...]:
        raise RegistryError("connection refused")


async def test_the_last_good_list_stays_for_ever() -> None:
    """An outage of an hour changes nothing for callers."""
    registry = await registry_of(A, B)
    async with ResolverUnderTest(registry).open() as resolver:
        registry.fail("connection refused")
        await resolver.clock.advance(3600)
        assert resolver.published[1:] == [Resolution(2, (A, B), "connection refused")]
        registry.recover()
        await resolver.clock.advance(30)
        assert resolver.latest == Resolution(3, (A, B), None)


async def test_failures_are_backed_off() -> None:
    """While all instances serve, the delays grow from 0.2 s to 30 s, each at least half of its
    step.
    """
    watcher = FailingWatcher(A, B)
    async with ResolverUnderTest(watcher, clock=watcher.clock, serving={A, B}).open() as resolver:
        await resolver.clock.advance(200)
    steps = [min(0.2 * 2**n, 30.0) for n in range(12)]
    assert len(watcher.waits_s) >= len(steps)
    for step, wait_s in zip(steps, watcher.waits_s, strict=False):
        assert step / 2 <= wait_s <= step + 1e-6


async def test_a_failing_registry_is_asked_soon_for_a_successor() -> None:
    """While an instance is gone, a caller looks for its successor every second.

    The registry may be back before the long delays of its outage are over, and the next instance to
    go may be the last one that this caller knows.
    """
    watcher = FailingWatcher(A, B)
    async with ResolverUnderTest(watcher, clock=watcher.clock, serving={A, B}).open() as resolver:
        await resolver.clock.advance(120)
        asked = len(watcher.asked_s)
        resolver.serving.discard(A)
        await resolver.clock.advance(10)
        assert len(watcher.asked_s) - asked >= 10
        # Not in step with everybody else who lost it.
        soon = watcher.waits_s[-8:]
        assert max(soon) - min(soon) > 0.1
        resolver.serving.add(A)
        await resolver.clock.advance(1)
        asked = len(watcher.asked_s)
        await resolver.clock.advance(10)
        assert len(watcher.asked_s) - asked <= 1


async def test_a_caller_without_instances_asks_soon() -> None:
    """A caller that started during the outage has instances a second after its end."""
    registry = MemoryRegistry()
    registry.fail("connection refused")
    async with ResolverUnderTest(registry).open() as resolver:
        await resolver.clock.advance(300)
        registry.recover()
        await registry.register(A)
        await resolver.clock.advance(1)
        assert resolver.latest == Resolution(2, (A,))


@pytest.mark.parametrize(
    "fault",
    [
        OSError("no such file"),
        KeyError("order"),
        asyncio.CancelledError(),
        ExceptionGroup("two", [ValueError("one"), TypeError("other")]),
    ],
    ids=lambda fault: type(fault).__name__,
)
async def test_a_registry_may_raise_anything(
    fault: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Any exception is logged once and published, the last list stays, and it is asked again."""
    watcher = FailingWatcher(A, error=fault)
    async with ResolverUnderTest(watcher, clock=watcher.clock, serving={A}).open() as resolver:
        await resolver.clock.advance(60)
        assert resolver.published == [Resolution(1, (A,)), Resolution(2, (A,), repr(fault))]
        watcher.error = None
        await resolver.clock.advance(30)
        assert resolver.latest == Resolution(3, (A,))
    assert [bool(record.exc_info) for record in caplog.records] == [True, False]


@pytest.mark.parametrize("listed", [None, [A, None], [A, "10.0.0.1:50051"], 7])
async def test_a_registry_may_list_nonsense(listed: Any) -> None:
    """A list with anything else than instances in it is a failure of the registry."""
    watcher = FailingWatcher(A)
    async with ResolverUnderTest(watcher, clock=watcher.clock, serving={A}).open() as resolver:
        watcher.listed, watcher.error = listed, None
        await resolver.clock.advance(60)
        assert resolver.latest.instances == (A,)
        assert resolver.latest.error
        watcher.listed = [B]
        resolver.serving.clear()
        await resolver.clock.advance(30)
        assert resolver.latest == Resolution(3, (B,))


async def test_an_address_that_is_no_text_is_left_out() -> None:
    """One instance that can't be dialled doesn't cost the others."""
    registry = await registry_of(A, replace(B, address="\ud800"))
    async with ResolverUnderTest(registry).open() as resolver:
        assert resolver.published == [Resolution(1, (A,))]


async def test_a_success_resets_the_backoff() -> None:
    """After a good list the next failure has the shortest delay again."""
    registry = await registry_of(A)
    registry.fail("connection refused")
    async with ResolverUnderTest(registry).open() as resolver:
        await resolver.clock.advance(300)
        registry.recover()
        await resolver.clock.advance(30)
        registry.fail("connection refused")
        await resolver.clock.settle()
        assert resolver.clock.next_wake_s is not None
        assert resolver.clock.next_wake_s <= 0.2


async def test_no_instance_is_dropped_while_the_registry_fails() -> None:
    """If an agent lost its registrations and then went down, serving instances stay."""
    registry = await registry_of(A, B)
    async with ResolverUnderTest(registry, serving={A, B}).open() as resolver:
        registry.forget()
        await resolver.clock.advance(5)
        registry.fail("connection refused")
        await resolver.clock.advance(600)
        assert resolver.latest == Resolution(2, (A, B), "connection refused")
        registry.recover()
        await registry.register(A)
        while resolver.latest.error is not None:
            await resolver.clock.advance(1)
        await resolver.clock.advance(13)
        assert resolver.latest == Resolution(3, (A, B))
        await resolver.clock.advance(3)
        assert resolver.latest == Resolution(4, (A,))
