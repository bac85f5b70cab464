"""Several processes write to one database, one at a time, and none waits without a limit."""

import asyncio
import random
import signal

import pytest
from sqlalchemy import Connection, insert, select

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EVENT, EventLog, NewEvent
from services.chassis.request.request_ids import REQUEST
from services.chassis.store.database import LOCK_WAIT_S, Database, StoreUnavailableError
from services.chassis.store.migrations import CHASSIS_VERSIONS
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.store.another_process import another_process
from tests.support.store.databases import (
    NEWEST_CHASSIS,
    POSTGRESQL,
    Databases,
    Gate,
    open_database,
    opened_database,
    writing,
)


async def go(process: asyncio.subprocess.Process) -> None:
    """Start a process that waits for a line on stdin, and wait until it has ended successfully."""
    async with asyncio.timeout(WAIT_S):
        await process.communicate(b"go\n")
    assert process.returncode == 0


def add_request(connection: Connection, request_id: str) -> None:
    """Write one row."""
    row = {"method": "Test", "request_id": request_id, "fingerprint": b"", "resource": "r"}
    connection.execute(insert(REQUEST).values(**row, create_time=0))


def requests(connection: Connection) -> list[str]:
    """The rows that `add_request` wrote."""
    return list(connection.execute(select(REQUEST.c.request_id)).scalars())


def head(connection: Connection) -> int:
    """The position of the newest event."""
    return int(connection.exec_driver_sql("SELECT position FROM event_counter").scalar_one())


def positions_and_types(connection: Connection) -> list[tuple[int, str]]:
    """The position and type of every event, in order."""
    rows = connection.execute(select(EVENT.c.position, EVENT.c.type).order_by(EVENT.c.position))
    return [(row.position, row.type) for row in rows]


async def migrated(databases: Databases) -> str:
    """The URL of a migrated database that no process has open."""
    return await databases.migrated(CHASSIS_VERSIONS, "shared")


async def test_two_processes_write_one_gapless_log(databases: Databases) -> None:
    """Events that two processes append at the same time get the positions 1..n, each once."""
    url = await migrated(databases)
    async with (
        another_process("write", url, "left", "150") as left,
        another_process("write", url, "right", "150") as right,
    ):
        await asyncio.gather(go(left), go(right))

    async with opened_database(databases, name="shared") as database:
        events = await database.read(positions_and_types)
    assert [position for position, _ in events] == list(range(1, 301))
    assert [name for _, name in events].count("left") == 150


async def test_a_write_waits_a_limited_time_for_a_frozen_writer(databases: Databases) -> None:
    """If the holder of the lock freezes, writes fail after the lock wait, and reads still work.

    A failed write is not executed later; once the lock is free again, new writes work.
    """
    url = await migrated(databases)
    clock = ManualClock()
    async with opened_database(databases, name="shared", clock=clock) as database:
        async with another_process("hold", url):
            given_up = [
                asyncio.create_task(database.write(add_request, f"given-up-{number}"))
                for number in range(3)
            ]
            await clock.advance(1.9)
            assert not any(task.done() for task in given_up)
            async with asyncio.timeout(WAIT_S):
                while not all(task.done() for task in given_up):
                    await clock.advance(0.1)

            for task in given_up:
                with pytest.raises(StoreUnavailableError):
                    await task
            late = asyncio.create_task(database.write(add_request, "late"))
            await clock.advance(1.9)
            assert not late.done()
            assert await database.read(requests) == []
        async with asyncio.timeout(WAIT_S):
            await late
        assert await database.read(requests) == ["late"]


async def test_a_slow_write_of_our_own_is_waited_for(databases: Databases) -> None:
    """A write that waits for another write of its own process has no time limit."""
    clock = ManualClock()
    async with opened_database(databases, clock=clock) as database:
        gate = Gate()
        slow = asyncio.create_task(database.write(gate))
        await gate.entered()
        waiting = asyncio.create_task(database.write(add_request, "waiting"))
        await clock.advance(10.0)
        gate.open()
        await slow
        await waiting
        assert await database.read(requests) == ["waiting"]


async def test_closing_does_not_wait_for_a_frozen_writer(databases: Databases) -> None:
    """A database closes while another process holds the lock; waiting writes fail."""
    url = await migrated(databases)
    clock = ManualClock()
    database = await open_database(databases, name="shared", clock=clock, lock_wait_s=LOCK_WAIT_S)
    async with another_process("hold", url):
        waiting = asyncio.create_task(database.write(add_request, "waiting"))
        await clock.settle()
        closing = asyncio.create_task(database.close())
        await clock.advance(LOCK_WAIT_S)
        async with asyncio.timeout(WAIT_S):
            await closing
        with pytest.raises(StoreUnavailableError):
            await waiting


async def test_a_killed_writer_leaves_neither_lock_nor_work(databases: Databases) -> None:
    """If a process is killed in the middle of a write, its lock is free and its work undone."""
    url = await migrated(databases)
    async with another_process("pause", url) as stopped:
        stopped.kill()
        await stopped.wait()
        async with opened_database(databases, name="shared") as database:
            async with asyncio.timeout(WAIT_S):
                await database.write(add_request, "after")
            assert await database.read(head) == 0


async def test_two_instances_migrate_at_once(databases: Databases) -> None:
    """Instances that migrate at the same time create the tables once, with one epoch."""
    url = databases.url("new")
    async with another_process("migrate", url) as one, another_process("migrate", url) as two:
        await asyncio.gather(go(one), go(two))

    async with opened_database(databases, name="new") as database:
        revisions = await database.read(
            lambda c: c.exec_driver_sql("SELECT version_num FROM alembic_version").all()
        )
        counters = await database.read(
            lambda c: c.exec_driver_sql("SELECT position, epoch FROM event_counter").all()
        )
    assert [tuple(row) for row in revisions] == [(NEWEST_CHASSIS,)]
    assert [row.position for row in counters] == [0]
    assert counters[0].epoch


async def test_two_databases_of_one_process_take_turns(databases: Databases) -> None:
    """Two instances in one process exclude each other like two processes."""
    one: Database
    async with (
        opened_database(databases, name="shared", owner="one") as one,
        opened_database(databases, name="shared", owner="two") as two,
    ):
        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(one.write(add_request, f"one-{number}"))
                group.create_task(two.write(add_request, f"two-{number}"))
        assert len(await one.read(requests)) == 200


async def test_a_reader_skips_nothing_that_is_still_to_be_committed(databases: Databases) -> None:
    """A transaction cannot commit before an earlier one, so readers never miss a position."""
    url = await migrated(databases)
    clock = SystemClock()
    log = EventLog(clock=clock, ids=IdFactory(clock=clock, rng=random.Random(1)))
    first, second = (NewEvent(type=name, payload=b"") for name in ("first", "second"))
    async with opened_database(databases, name="shared") as database:
        with writing(url) as connection:
            log.append(connection, "ord_1", 0, [first])
            later = asyncio.create_task(database.write(log.append, "ord_2", 0, [second]))
            for _ in range(20):
                assert await database.read(positions_and_types) == []
            assert not later.done()
        async with asyncio.timeout(WAIT_S):
            await later
        assert await database.read(positions_and_types) == [(1, "first"), (2, "second")]


@pytest.mark.parametrize("databases", [POSTGRESQL], indirect=True)
async def test_a_frozen_holder_of_the_lock_is_disconnected(databases: Databases) -> None:
    """PostgreSQL disconnects a frozen lock holder: others go on, and its own write fails."""
    url = await migrated(databases)
    impatient = f"{url}&options=-c%20idle_in_transaction_session_timeout%3D200"
    async with another_process("pause", impatient) as paused:
        paused.send_signal(signal.SIGSTOP)
        async with opened_database(databases, name="shared") as database:
            async with asyncio.timeout(WAIT_S):
                await database.write(add_request, "after")
            paused.send_signal(signal.SIGCONT)
            async with asyncio.timeout(WAIT_S):
                printed, _ = await paused.communicate(b"go\n")
            assert printed == b"unavailable\n"
            assert await database.read(requests) == ["after"]
            assert await database.read(head) == 0
