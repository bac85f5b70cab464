"""What a caller knows while its registry doesn't answer, and how soon it hears of the rest."""

from collections.abc import AsyncIterator
from itertools import pairwise

from discovery.registry.instance import Instance, Resolution
from discovery.registry.memory import MemoryRegistry
from discovery.registry.protocols import RegistryError
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.scripted_registry import A, B, Shop, registry_of


class FailingWatcher:
    """A watcher that lists some instances once, and fails from then on."""

    def __init__(self, *listed: Instance) -> None:
        self.clock = ManualClock()
        self.asked_s: list[float] = []
        self._listed = listed

    @property
    def waits_s(self) -> list[float]:
        """The seconds between two looks."""
        return [later - earlier for earlier, later in pairwise(self.asked_s)]

    async def watch(
        self, service: str, *, tag: str | None = None
    ) -> AsyncIterator[tuple[Instance, ...]]:
        del service, tag
        self.asked_s.append(self.clock.monotonic())
        if len(self.asked_s) == 1:
            yield self._listed
        raise RegistryError("connection refused")

    async def lookup(self, service: str, *, tag: str | None = None) -> tuple[Instance, ...]:
        raise RegistryError("connection refused")


async def test_the_last_good_list_stays_for_ever() -> None:
    """A registry that is down for an hour changes nothing for the callers."""
    registry = await registry_of(A, B)
    async with Shop(registry).open() as shop:
        registry.fail("connection refused")
        await shop.clock.advance(3600)
        assert shop.published[1:] == [Resolution(2, (A, B), "connection refused")]
        registry.recover()
        await shop.clock.advance(30)
        assert shop.latest == Resolution(3, (A, B), None)


async def test_failures_are_backed_off() -> None:
    """While all serve, waits between look-ups grow from 0.2 s to 30 s, half of each step kept."""
    watcher = FailingWatcher(A, B)
    async with Shop(watcher, clock=watcher.clock, serving={A, B}).open() as shop:
        await shop.clock.advance(200)
    steps = [min(0.2 * 2**n, 30.0) for n in range(12)]
    assert len(watcher.waits_s) >= len(steps)
    for step, wait_s in zip(steps, watcher.waits_s, strict=False):
        assert step / 2 <= wait_s <= step + 1e-6


async def test_a_failing_registry_is_asked_soon_for_a_successor() -> None:
    """From the moment one of its instances is gone, a caller looks each second who came instead.

    The registry is back long before the long waits of its outage are over, and the next instance
    to go may be the last one this caller knows.
    """
    watcher = FailingWatcher(A, B)
    async with Shop(watcher, clock=watcher.clock, serving={A, B}).open() as shop:
        await shop.clock.advance(120)
        asked = len(watcher.asked_s)
        shop.serving.discard(A)
        await shop.clock.advance(10)
        assert len(watcher.asked_s) - asked >= 10
        # Not in step with everybody else who lost it.
        soon = watcher.waits_s[-8:]
        assert max(soon) - min(soon) > 0.1
        shop.serving.add(A)
        await shop.clock.advance(1)
        asked = len(watcher.asked_s)
        await shop.clock.advance(10)
        assert len(watcher.asked_s) - asked <= 1


async def test_a_caller_that_knows_nobody_asks_soon() -> None:
    """One that started while the registry was down is there a second after it."""
    registry = MemoryRegistry()
    registry.fail("connection refused")
    async with Shop(registry).open() as shop:
        await shop.clock.advance(300)
        registry.recover()
        await registry.register(A)
        await shop.clock.advance(1)
        assert shop.latest == Resolution(2, (A,))


async def test_a_success_resets_the_backoff() -> None:
    """After a good list the next failure is met with the shortest wait again."""
    registry = await registry_of(A)
    registry.fail("connection refused")
    async with Shop(registry).open() as shop:
        await shop.clock.advance(300)
        registry.recover()
        await shop.clock.advance(30)
        registry.fail("connection refused")
        await shop.clock.settle()
        assert shop.clock.next_wake_s is not None
        assert shop.clock.next_wake_s <= 0.2


async def test_a_failing_registry_lets_nobody_go() -> None:
    """An agent that forgot all and then went away takes no serving instance with it."""
    registry = await registry_of(A, B)
    async with Shop(registry, serving={A, B}).open() as shop:
        registry.forget()
        await shop.clock.advance(5)
        registry.fail("connection refused")
        await shop.clock.advance(600)
        assert shop.latest == Resolution(2, (A, B), "connection refused")
        registry.recover()
        await registry.register(A)
        while shop.latest.error is not None:
            await shop.clock.advance(1)
        await shop.clock.advance(13)
        assert shop.latest == Resolution(3, (A, B))
        await shop.clock.advance(3)
        assert shop.latest == Resolution(4, (A,))
