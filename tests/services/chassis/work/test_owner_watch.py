"""The leases of a process that has ended are free at once, and those of a slow one are not."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.chassis.store.database import Database
from services.chassis.store.migrations import CHASSIS_VERSIONS
from services.chassis.work.lease import EXPIRED, OWNER_ENDED, Leases
from services.chassis.work.owner_watch import (
    POLL_S,
    OwnerWatch,
    registered_owners,
    remove_owner,
)
from tests.support.chassis.driven_instance import advance_until
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.another_process import another_process
from tests.support.store.database_process import OWN_LEASE_S, OWN_SUBJECT
from tests.support.store.databases import Databases, opened_database

# Far less than the lease of the other process.
LOOKS = 20


@pytest.fixture
def clock() -> ManualClock:
    """A clock that moves only when the test advances it."""
    return ManualClock()


@pytest.fixture
async def database(databases: Databases, clock: ManualClock) -> AsyncIterator[Database]:
    """A migrated database. No write may expire while a test advances the clock."""
    async with opened_database(databases, clock=clock, lock_wait_s=3600) as opened:
        yield opened


@pytest.fixture
def leases(clock: ManualClock) -> Leases:
    """The leases of this process."""
    return Leases(owner="ours", clock=clock, rng=random.Random(1))


@asynccontextmanager
async def watching(database: Database, leases: Leases, clock: ManualClock) -> AsyncIterator[None]:
    """The watch of this process, while the block runs."""
    watch = OwnerWatch(database=database, leases=leases, clock=clock, rng=random.Random(1))
    task = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def owner_of_work(database: Database, leases: Leases) -> str:
    """Who holds the lease on the work of the other process; "" if it is free."""
    row = await database.read(leases.get, OWN_SUBJECT)
    assert row is not None
    return row.owner


async def test_the_work_of_a_killed_process_is_free_at_once(
    databases: Databases, database: Database, leases: Leases, clock: ManualClock
) -> None:
    """When a process is killed, others can claim its work long before its leases expire."""
    url = await databases.migrated(CHASSIS_VERSIONS, "test")
    began = clock.now()

    async def is_free() -> bool:
        # The loss is counted only after the commit that others can already read.
        return not await owner_of_work(database, leases) and leases.lost[OWNER_ENDED] > 0

    async with another_process("own", url, "theirs") as process, watching(database, leases, clock):
        assert await owner_of_work(database, leases) == "theirs"
        process.kill()
        await process.wait()
        await advance_until(clock, is_free, step_s=POLL_S)

    assert (clock.now() - began).total_seconds() < OWN_LEASE_S
    assert await database.write(leases.claim, OWN_SUBJECT) is not None
    assert "theirs" not in await database.read(registered_owners)


async def test_a_process_that_stands_still_keeps_its_leases(
    databases: Databases, database: Database, leases: Leases, clock: ManualClock
) -> None:
    """A process that gets no processor time is not taken for dead, however often others look."""
    url = await databases.migrated(CHASSIS_VERSIONS, "test")
    async with another_process("own", url, "theirs") as process, watching(database, leases, clock):
        process.send_signal(signal.SIGSTOP)
        for _ in range(LOOKS):
            await clock.advance(POLL_S)
            assert not await database.has_ended("theirs")
        assert await owner_of_work(database, leases) == "theirs"
        process.send_signal(signal.SIGCONT)


async def test_an_owner_that_was_removed_while_it_lives_registers_again(
    database: Database, leases: Leases, clock: ManualClock
) -> None:
    """An owner that others took for dead, as after a failover, is registered again."""

    async def is_registered() -> bool:
        return leases.owner in await database.read(registered_owners)

    async with watching(database, leases, clock):
        await advance_until(clock, is_registered, step_s=POLL_S)
        assert not await database.has_ended(leases.owner)
        await database.write(remove_owner, leases.owner, clock.now())
        await advance_until(clock, is_registered, step_s=POLL_S)
        assert not await database.has_ended(leases.owner)


async def test_an_owner_without_a_mark_keeps_its_leases_until_they_expire(
    database: Database, leases: Leases, clock: ManualClock
) -> None:
    """The leases of an instance of an earlier version, which has no mark, only expire."""
    earlier = Leases(owner="theirs", clock=clock, rng=random.Random(2), lease_s=OWN_LEASE_S)
    await database.write(earlier.open, OWN_SUBJECT, "checkout")
    async with watching(database, leases, clock):
        for _ in range(LOOKS):
            await clock.advance(POLL_S)
        assert await owner_of_work(database, leases) == "theirs"


async def test_a_lease_that_was_taken_over_is_counted_and_a_released_one_is_not(
    database: Database, leases: Leases, clock: ManualClock
) -> None:
    """Metrics tell how often work was lost to another owner; a release is no loss."""
    theirs = Leases(owner="theirs", clock=clock, rng=random.Random(2), lease_s=1.0)
    await database.write(theirs.open, "ord_1", "checkout")
    await clock.advance(1.0)
    leases.committed(*await database.write(leases.claim_due, "checkout", 10))
    released = await database.write(theirs.open, "ord_2", "checkout")
    await database.write(theirs.release, released)
    leases.committed(*await database.write(leases.claim_due, "checkout", 10))

    assert leases.lost == {EXPIRED: 1, OWNER_ENDED: 0}
    assert leases.lasting(1.0).lost is leases.lost
