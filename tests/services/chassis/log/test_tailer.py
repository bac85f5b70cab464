"""A tailer reports commits of all instances, and no waiter misses a change."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Connection

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog, NewEvent
from services.chassis.log.poll_pace import IDLE_POLLS
from services.chassis.log.tailer import Change, Tailer
from services.chassis.store.database import Database
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases, Gate, opened_database

PLACED = NewEvent(type="tradepost.order.v1.OrderPlaced", payload=b"")
NEVER_S = 3600.0


@asynccontextmanager
async def running(tailer: Tailer) -> AsyncIterator[Tailer]:
    """Run the tailer while the block runs."""
    task = asyncio.create_task(tailer.run())
    try:
        yield tailer
    finally:
        task.cancel()
        await asyncio.wait({task})


def a_log() -> EventLog:
    """An event log."""
    clock = SystemClock()
    return EventLog(clock=clock, ids=IdFactory(clock=clock, rng=random.Random(7)))


@pytest.fixture
def log() -> EventLog:
    """An event log."""
    return a_log()


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    """A migrated database."""
    async with opened_database(databases) as opened:
        yield opened


@pytest.fixture
async def other(databases: Databases, database: Database) -> AsyncIterator[Database]:
    """Another instance on the same database."""
    async with opened_database(databases, owner="other") as opened:
        yield opened


async def test_own_commits_wake_at_once(database: Database, log: EventLog) -> None:
    """A commit of this process wakes waiters without a poll."""
    tailer = Tailer(database=database, log=log, clock=SystemClock(), poll_s=NEVER_S)
    async with running(tailer), asyncio.timeout(WAIT_S):
        with tailer.follow("ord_1") as follower:
            waiting = asyncio.create_task(follower.wait(after_version=0))
            await database.write(log.append, "ord_1", 0, [PLACED])
            assert await waiting == Change(1, "ord_1", 1, PLACED.type)


async def test_other_instances_commits_are_found(
    database: Database, other: Database, log: EventLog
) -> None:
    """A commit of another process is found by the next poll."""
    tailer = Tailer(database=database, log=log, clock=SystemClock(), poll_s=0.001)
    async with running(tailer), asyncio.timeout(WAIT_S):
        with tailer.follow("ord_1") as follower:
            assert await tailer.wait_position(0)
            await other.write(log.append, "ord_2", 0, [PLACED])
            await other.write(log.append, "ord_1", 0, [PLACED, PLACED])
            assert await follower.wait(after_version=1) == Change(3, "ord_1", 2, PLACED.type)
            assert await tailer.wait_position(3)


async def test_own_appends_are_reported_across_a_gap(
    database: Database, other: Database, log: EventLog
) -> None:
    """A commit of another process in between does not delay waiters for our own commits."""
    tailer = Tailer(database=database, log=log, clock=SystemClock(), poll_s=NEVER_S)
    async with running(tailer), asyncio.timeout(WAIT_S):
        await tailer.wait_position(0)
        with tailer.follow("ord_1") as follower:
            waiting = asyncio.create_task(follower.wait(after_version=0))
            await other.write(log.append, "ord_2", 0, [PLACED])
            await database.write(log.append, "ord_1", 0, [PLACED])

            assert await waiting == Change(2, "ord_1", 1, PLACED.type)
            assert await tailer.wait_position(2)


async def test_a_failed_append_is_not_reported(database: Database, log: EventLog) -> None:
    """An append that was rolled back wakes no waiter."""

    def append_then_fail(connection: Connection) -> None:
        log.append(connection, "ord_1", 0, [PLACED])
        raise LookupError

    tailer = Tailer(database=database, log=log, clock=SystemClock(), poll_s=NEVER_S)
    async with running(tailer), asyncio.timeout(WAIT_S):
        with tailer.follow("ord_1") as follower:
            waiting = asyncio.create_task(follower.wait(after_version=0))
            failing = asyncio.create_task(database.write(append_then_fail))
            await database.write(log.append, "ord_2", 0, [PLACED])
            with pytest.raises(LookupError):
                await failing
            assert await tailer.wait_position(1)
            assert not waiting.done()
            waiting.cancel()


async def test_a_change_between_following_and_waiting_is_not_missed(
    database: Database, log: EventLog
) -> None:
    """A change that is appended after `follow` and before `wait` is returned by `wait`."""
    tailer = Tailer(database=database, log=log, clock=SystemClock(), poll_s=NEVER_S)
    async with running(tailer), asyncio.timeout(WAIT_S):
        with tailer.follow("ord_1") as follower:
            await database.write(log.append, "ord_1", 0, [PLACED, PLACED])
            assert await tailer.wait_position(2)
            change = await follower.wait(after_version=1)
            assert change is not None
            assert change.version == 2


async def test_a_follower_from_before_the_start_misses_nothing(
    database: Database, log: EventLog
) -> None:
    """A follower that registers before the tailer starts gets the newest change of its stream."""
    tailer = Tailer(database=database, log=log, clock=SystemClock(), poll_s=NEVER_S)
    with tailer.follow("ord_1") as follower:
        waiting = asyncio.create_task(follower.wait(after_version=0))
        await database.write(log.append, "ord_1", 0, [PLACED])
        await database.write(log.append, "ord_2", 0, [PLACED])
        async with running(tailer), asyncio.timeout(WAIT_S):
            assert await waiting == Change(1, "ord_1", 1, PLACED.type)
            assert await tailer.wait_position(2)


async def test_only_changes_of_the_stream_wake(database: Database, log: EventLog) -> None:
    """Changes of another stream do not wake a follower."""
    tailer = Tailer(database=database, log=log, clock=SystemClock(), poll_s=NEVER_S)
    async with running(tailer), asyncio.timeout(WAIT_S):
        with tailer.follow("ord_1") as follower:
            waiting = asyncio.create_task(follower.wait(after_version=0))
            await database.write(log.append, "ord_2", 0, [PLACED])
            assert await tailer.wait_position(1)
            assert not waiting.done()
            waiting.cancel()


async def test_only_changes_of_the_types_wake(database: Database, log: EventLog) -> None:
    """A follower with types is woken only by changes of these types."""
    ended = NewEvent("tradepost.test.v1.Ended", b"")
    tailer = Tailer(database=database, log=log, clock=SystemClock())
    async with running(tailer), asyncio.timeout(WAIT_S):
        with tailer.follow("ord_1", types=(ended.type,)) as follower:
            waiting = asyncio.create_task(follower.wait(after_version=0))
            await database.write(log.append, "ord_1", 0, [PLACED, PLACED])
            assert await tailer.wait_position(2)
            assert not waiting.done()
            await database.write(log.append, "ord_1", 2, [ended, PLACED])
            assert await waiting == Change(3, "ord_1", 3, ended.type)


async def test_several_follow_one_stream(database: Database, log: EventLog) -> None:
    """Several followers of a stream can wait for different versions."""
    tailer = Tailer(database=database, log=log, clock=SystemClock(), poll_s=NEVER_S)
    async with running(tailer), asyncio.timeout(WAIT_S):
        with tailer.follow("ord_1") as one, tailer.follow("ord_1") as two:
            first = asyncio.create_task(one.wait(after_version=0))
            second = asyncio.create_task(two.wait(after_version=1))
            await database.write(log.append, "ord_1", 0, [PLACED])
            await first
            assert not second.done()
            await database.write(log.append, "ord_1", 1, [PLACED])
            change = await second
            assert change is not None
            assert change.version == 2


async def test_waiting_ends_in_time(database: Database, log: EventLog) -> None:
    """A wait returns None after its timeout."""
    clock = ManualClock()
    tailer = Tailer(database=database, log=log, clock=clock, poll_s=NEVER_S)
    with tailer.follow("ord_1") as follower:
        waiting = asyncio.create_task(follower.wait(after_version=0, timeout_s=5.0))
        position = asyncio.create_task(tailer.wait_position(1, timeout_s=5.0))
        await clock.advance(4.9)
        assert not waiting.done()
        await clock.advance(0.2)
        assert await waiting is None
        assert await position is False


async def test_draining_lets_all_waiters_return(database: Database, log: EventLog) -> None:
    """After `stop_waiters`, current and later waits return at once."""
    tailer = Tailer(database=database, log=log, clock=SystemClock(), poll_s=NEVER_S)
    async with running(tailer), asyncio.timeout(WAIT_S):
        with tailer.follow("ord_1") as follower:
            waiting = asyncio.create_task(follower.wait(after_version=0))
            position = asyncio.create_task(tailer.wait_position(1))
            await asyncio.sleep(0)
            tailer.stop_waiters()

            assert await waiting is None
            assert await position is False
            assert follower.closed
            assert await follower.wait(after_version=0) is None
            assert await tailer.wait_position(1) is False


async def test_a_cancelled_waiter_leaves_nothing_behind(database: Database, log: EventLog) -> None:
    """A cancelled wait removes its follower and its timer."""
    clock = ManualClock()
    tailer = Tailer(database=database, log=log, clock=clock, poll_s=NEVER_S)
    with tailer.follow("ord_1") as follower:
        waiting = asyncio.create_task(follower.wait(after_version=0, timeout_s=5.0))
        await clock.settle()
        waiting.cancel()
        await clock.settle()
        assert clock.next_wake_s is None or clock.next_wake_s != 5.0
    assert tailer.followed == 0


async def test_a_long_backlog_is_read_in_parts(
    database: Database, other: Database, log: EventLog
) -> None:
    """All changes between two polls are reported, however many there are."""
    clock = ManualClock()
    tailer = Tailer(database=database, log=log, clock=clock, poll_s=1.0)
    async with running(tailer), asyncio.timeout(WAIT_S):
        await asyncio.create_task(clock.wait_for_sleepers())
        with tailer.follow("ord_1") as follower:
            assert await tailer.wait_position(0)
            await other.write(log.append, "ord_1", 0, [PLACED] * 2500)
            await clock.advance(1.0)
            assert await tailer.wait_position(2500)
            change = await follower.wait(after_version=2499)
            assert change is not None
            assert change.version == 2500


async def test_the_tailer_survives_a_store_that_does_not_answer(
    databases: Databases, log: EventLog
) -> None:
    """If reads fail for a while, waiters are woken later."""
    async with opened_database(databases) as setup:
        await setup.write(log.append, "ord_1", 0, [PLACED])
    database = await Database.open(
        databases.url(),
        clock=SystemClock(),
        owner="test",
        readers=1,
        queue_max=1,
    )
    tailer = Tailer(database=database, log=log, clock=SystemClock(), poll_s=0.001)
    gate = Gate()
    blocking = asyncio.create_task(database.read(gate))
    await gate.entered()
    with tailer.follow("ord_1") as follower:
        async with running(tailer), asyncio.timeout(WAIT_S):
            waiting = asyncio.create_task(follower.wait(after_version=0))
            await asyncio.sleep(0)
            gate.open()
            await blocking
            assert await waiting == Change(1, "ord_1", 1, PLACED.type)
    await database.close()


async def test_a_log_without_waiters_is_read_rarely(
    database: Database, other: Database, log: EventLog
) -> None:
    """Without waiters few polls read the log, and the position still catches up."""
    clock = ManualClock()
    tailer = Tailer(database=database, log=log, clock=clock, poll_s=1.0)
    async with running(tailer), asyncio.timeout(WAIT_S):
        await asyncio.create_task(clock.wait_for_sleepers())
        for version in range(IDLE_POLLS - 1):
            await other.write(log.append, "ord_1", version, [PLACED])
            await clock.advance(1.0)
        # It has read the log once, at its start.
        assert tailer.position < IDLE_POLLS // 2

        while tailer.position < IDLE_POLLS - 1:
            await clock.advance(1.0)
