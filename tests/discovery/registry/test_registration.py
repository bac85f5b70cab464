"""An instance stays registered, whatever happens to the registry."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from discovery.registry.instance import Instance
from discovery.registry.memory import MemoryRegistry
from discovery.registry.registration import InstanceIdTakenError, Registration
from tests.support.clock.manual_clock import ManualClock

ORDER = Instance("order-1", "order", "10.0.0.1", 50051, incarnation="second")


@asynccontextmanager
async def _running(
    registry: MemoryRegistry, clock: ManualClock
) -> AsyncIterator[tuple[Registration, asyncio.Task[None]]]:
    registration = Registration(
        registrar=registry, instance=ORDER, clock=clock, rng=random.Random(5)
    )
    running = asyncio.create_task(registration.run())
    await clock.settle()
    try:
        yield registration, running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_it_registers_at_once() -> None:
    """A server that says SERVING can be found without delay."""
    registry = MemoryRegistry()
    async with _running(registry, ManualClock()) as (registration, _):
        await asyncio.wait_for(registration.wait_registered(), 60)
        assert await registry.lookup("order") == (ORDER,)


async def test_it_replaces_an_earlier_incarnation() -> None:
    """The registration of an earlier process with the same id is replaced."""
    registry = MemoryRegistry()
    await registry.register(replace(ORDER, incarnation="first", port=50050))
    async with _running(registry, ManualClock()):
        assert await registry.lookup("order") == (ORDER,)


async def test_it_registers_again_when_it_is_forgotten() -> None:
    """A restarted agent lists the instance again within 2 s."""
    registry, clock = MemoryRegistry(), ManualClock()
    async with _running(registry, clock):
        await clock.advance(7)
        registry.forget()
        await clock.advance(2)
        assert await registry.lookup("order") == (ORDER,)


async def test_it_never_gives_up() -> None:
    """After an outage of a day, also at the start, it is registered within 2 s."""
    registry, clock = MemoryRegistry(), ManualClock()
    registry.fail("connection refused")
    async with _running(registry, clock) as (registration, _):
        await clock.advance(3600)
        registry.recover()
        await clock.advance(2)
        await asyncio.wait_for(registration.wait_registered(), 60)
        assert await registry.lookup("order") == (ORDER,)


async def test_a_registrar_may_raise_anything(caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected exception is logged with its traceback, and the registration goes on."""

    class Faulty(MemoryRegistry):
        faults = 3

        async def register(self, instance: Instance) -> None:
            if self.faults:
                self.faults -= 1
                raise KeyError("no such lease")
            await super().register(instance)

        async def deregister(self, instance: Instance) -> None:
            raise ConnectionResetError

    registry, clock = Faulty(), ManualClock()
    async with _running(registry, clock) as (registration, running):
        await clock.advance(5)
        assert await registry.lookup("order") == (ORDER,)
        withdrawing = asyncio.create_task(registration.withdraw())
        await clock.advance(2)
        assert withdrawing.done()
        assert withdrawing.exception() is None
        assert running.done()
        assert running.exception() is None
    assert caplog.records[0].exc_info


async def test_a_successor_is_left_alone() -> None:
    """Two processes with one id don't replace each other's registration every 2 s."""
    registry, clock = MemoryRegistry(), ManualClock()
    async with _running(registry, clock):
        successor = replace(ORDER, incarnation="third")
        await registry.register(successor)
        await clock.advance(60)
        assert await registry.lookup("order") == (successor,)


async def test_a_withdrawn_instance_stays_deregistered() -> None:
    """A draining server is deregistered and isn't registered again."""
    registry, clock = MemoryRegistry(), ManualClock()
    async with _running(registry, clock) as (registration, running):
        await registration.withdraw()
        assert await registry.lookup("order") == ()
        await clock.advance(10)
        assert running.done()
        assert await registry.lookup("order") == ()


async def test_withdrawing_from_a_registry_that_is_down_ends() -> None:
    """After three failed attempts a drain goes on."""
    registry, clock = MemoryRegistry(), ManualClock()
    async with _running(registry, clock) as (registration, _):
        registry.fail("connection refused")
        withdrawing = asyncio.create_task(registration.withdraw())
        await clock.advance(1)
        assert withdrawing.done()


async def test_each_change_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """An outage is logged once when it begins and once when it ends."""
    registry, clock = MemoryRegistry(), ManualClock()
    with caplog.at_level("INFO", logger="discovery.registry.registration"):
        async with _running(registry, clock):
            registry.fail("connection refused")
            await clock.advance(600)
            registry.recover()
            await clock.advance(60)
    assert [record.message for record in caplog.records] == [
        "order-1 is registered as order at 10.0.0.1:50051",
        "order-1: the registry fails: connection refused",
        "order-1: the registry answers again",
    ]


async def _serves(_: Instance) -> bool:
    return True


async def _is_dead(_: Instance) -> bool:
    return False


async def test_the_id_of_a_living_process_is_refused_before_the_start() -> None:
    """The error names both addresses and the setting; a dead holder is no obstacle."""
    registry, clock = MemoryRegistry(), ManualClock()
    await registry.register(replace(ORDER, incarnation="first", port=50050))

    def registration(serves: Callable[[Instance], Awaitable[bool]]) -> Registration:
        return Registration(
            registrar=registry,
            instance=ORDER,
            clock=clock,
            rng=random.Random(5),
            serves=serves,
            id_setting="ORDER_ID",
        )

    with pytest.raises(
        InstanceIdTakenError, match=r"10\.0\.0\.1:50050, .*10\.0\.0\.1:50051.*ORDER_ID"
    ):
        await registration(_serves).refuse_taken_id()
    await registration(_is_dead).refuse_taken_id()


async def test_two_living_processes_do_not_replace_each_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The one whose id is taken logs an error at every check, and the other stays registered."""
    registry, clock = MemoryRegistry(), ManualClock()
    first, second = ORDER, replace(ORDER, incarnation="third", port=50052)
    registrations = [
        Registration(
            registrar=registry,
            instance=instance,
            clock=clock,
            rng=random.Random(5),
            serves=_serves,
        )
        for instance in (first, second)
    ]
    running = [asyncio.create_task(each.run()) for each in registrations]
    await clock.settle()
    await clock.advance(10)

    assert await registry.lookup("order") == (first,)
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) >= 5
    assert all("10.0.0.1:50051" in error and "10.0.0.1:50052" in error for error in errors)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
