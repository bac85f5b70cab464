"""A driver that drains releases all its work to other instances at once."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
from sqlalchemy import Connection

from services.chassis.store.database import Database
from services.chassis.work.lease import Claim
from tests.support.chassis.driven_instance import (
    KIND,
    LEASE_S,
    Instance,
    finish,
    hang,
    row_of,
    step_until_draining,
)
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases, Gate, opened_database


@pytest.fixture
def clock() -> ManualClock:
    """A clock that moves only when the test advances it."""
    return ManualClock()


@pytest.fixture
async def database(databases: Databases, clock: ManualClock) -> AsyncIterator[Database]:
    """A migrated database. No write may expire while a test advances the clock past leases."""
    async with opened_database(databases, clock=clock, lock_wait_s=3600) as opened:
        yield opened


async def test_draining_finishes_the_step_and_releases_the_work(
    database: Database, clock: ManualClock
) -> None:
    """After a drain, another instance continues at once, without waiting for a lease to expire."""
    ours = Instance("ours", database, clock, step_until_draining)
    async with ours.running():
        await ours.place("ord_1")
        await ours.next_driven()
        draining = asyncio.create_task(ours.driver.drain())
        await clock.settle()
        assert ours.driver.draining
        assert not draining.done()
        ours.proceed.set()
        async with asyncio.timeout(WAIT_S):
            await draining

    heir = Instance("heir", database, clock, finish)
    async with heir.running():
        assert (await heir.next_driven()).subject == "ord_1"
    assert clock.monotonic() < LEASE_S


async def test_work_committed_during_the_drain_is_released(
    database: Database, clock: ManualClock
) -> None:
    """Work that is committed with a lease after the drain began is released too."""
    ours = Instance("ours", database, clock, finish)
    async with ours.running():
        gate = Gate()

        def place(connection: Connection) -> Claim:
            leased = not ours.driver.draining
            gate(connection)
            return ours.leases.open(connection, "ord_1", KIND, leased=leased)

        placing = asyncio.create_task(database.write(place, then=ours.driver.start))
        await gate.entered()
        draining = asyncio.create_task(ours.driver.drain())
        await asyncio.sleep(0)
        gate.open()
        await placing
        async with asyncio.timeout(WAIT_S):
            await draining

    assert ours.driven.empty()
    assert (await row_of(ours, "ord_1")).owner == ""


async def test_work_that_is_found_during_the_drain_is_left_to_others(
    database: Database, clock: ManualClock
) -> None:
    """An instance that looks for due work when the drain begins claims none of it."""
    ours = Instance("ours", database, clock, finish)
    await database.write(partial(ours.leases.open, leased=False), "ord_1", KIND)
    gates = [Gate(), Gate()]
    reading = [asyncio.create_task(database.read(gate)) for gate in gates]
    for gate in gates:
        await gate.entered()
    running = asyncio.create_task(ours.driver.run())
    await clock.settle()
    async with asyncio.timeout(WAIT_S):
        await ours.driver.drain()
        for gate in gates:
            gate.open()
        await asyncio.gather(running, *reading)

    assert (await row_of(ours, "ord_1")).owner == ""


async def test_a_drive_that_takes_longer_than_the_drain_is_cancelled(
    database: Database, clock: ManualClock
) -> None:
    """A step that takes longer than the drain is cancelled; the next owner repeats it."""
    ours = Instance("ours", database, clock, hang)
    async with ours.running():
        await ours.place("ord_1")
        await ours.next_driven()
        draining = asyncio.create_task(ours.driver.drain())
        await clock.advance(5.0)
        async with asyncio.timeout(WAIT_S):
            await draining
    assert (await row_of(ours, "ord_1")).owner == ""


async def test_a_drained_driver_ends(database: Database, clock: ManualClock) -> None:
    """After a drain, `run` returns and no drive starts."""
    ours = Instance("ours", database, clock, finish)
    task = asyncio.create_task(ours.driver.run())
    await clock.settle()
    await ours.driver.drain()
    async with asyncio.timeout(WAIT_S):
        await task

    await ours.place("ord_1")
    assert ours.driven.empty()
