"""Several processes write one database, one at a time, and none waits for ever."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Connection, insert, select

from discovery.clock import SystemClock
from scripts.tools.paths import ROOT
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EVENT, EventLog, NewEvent
from services.chassis.request.idempotency import REQUEST
from services.chassis.store.database import Database, StoreUnavailableError
from services.chassis.store.migrations import CHASSIS_VERSIONS
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import (
    POSTGRESQL,
    Databases,
    Gate,
    open_database,
    opened_database,
    writing,
)

WAIT_S = 60.0


@asynccontextmanager
async def another_process(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that has said "ready"; killed at the end of the block if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.store.database_process",
        *arguments,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'generated'}"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WAIT_S):
            assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def go(process: asyncio.subprocess.Process) -> None:
    """Let a process that waits for its start begin, and wait until it has ended well."""
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
    """Where the log stands."""
    return int(connection.exec_driver_sql("SELECT position FROM event_counter").scalar_one())


def positions_and_types(connection: Connection) -> list[tuple[int, str]]:
    """Position and type of every event, in order."""
    rows = connection.execute(select(EVENT.c.position, EVENT.c.type).order_by(EVENT.c.position))
    return [(row.position, row.type) for row in rows]


async def migrated(databases: Databases) -> str:
    """A database that no process has open."""
    return await databases.migrated(CHASSIS_VERSIONS, "shared")


async def test_two_processes_write_one_gapless_log(databases: Databases) -> None:
    """What two processes append at the same time gets the positions 1..n, each once."""
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


async def test_nobody_waits_longer_than_the_bound_for_a_frozen_writer(databases: Databases) -> None:
    """A process frozen with the lock makes writes unavailable after the bound, and reads go on.

    What was given up is not written later; once the lock is free again, writes are.
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
    """Only the lock has a bound: behind a slow disk, or a paused process, a turn comes late."""
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
    """A process can stop while another one holds the lock; who still waits is told."""
    url = await migrated(databases)
    clock = ManualClock()
    database = await open_database(databases, name="shared", clock=clock)
    async with another_process("hold", url):
        waiting = asyncio.create_task(database.write(add_request, "waiting"))
        await clock.settle()
        closing = asyncio.create_task(database.close())
        await clock.advance(2.0)
        async with asyncio.timeout(WAIT_S):
            await closing
        with pytest.raises(StoreUnavailableError):
            await waiting


async def test_a_killed_writer_leaves_neither_lock_nor_work(databases: Databases) -> None:
    """The lock of a process killed in mid-write is free again, and its work is undone."""
    url = await migrated(databases)
    async with another_process("pause", url) as stopped:
        stopped.kill()
        await stopped.wait()
        async with opened_database(databases, name="shared") as database:
            async with asyncio.timeout(WAIT_S):
                await database.write(add_request, "after")
            assert await database.read(head) == 0


async def test_two_instances_migrate_at_once(databases: Databases) -> None:
    """Instances that start together end with the tables made once and one epoch."""
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
    assert [tuple(row) for row in revisions] == [("chassis_0003",)]
    assert [row.position for row in counters] == [0]
    assert counters[0].epoch


async def test_two_databases_of_one_process_take_turns(databases: Databases) -> None:
    """Two instances in one process (a test, a simulation) exclude each other like two processes."""
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
    """While one transaction is open, none behind it commits: what a reader has seen is complete."""
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
async def test_a_frozen_holder_of_the_lock_is_thrown_out(databases: Databases) -> None:
    """PostgreSQL undoes its work and lets others go on; when it wakes up, it learns so."""
    url = await migrated(databases)
    impatient = f"{url}&options=-c%20idle_in_transaction_session_timeout%3D200"
    async with another_process("pause", impatient) as paused:
        paused.send_signal(signal.SIGSTOP)
        async with opened_database(databases, name="shared") as database:
            async with asyncio.timeout(WAIT_S):
                await database.write(add_request, "after")
            paused.send_signal(signal.SIGCONT)
            async with asyncio.timeout(WAIT_S):
                told, _ = await paused.communicate(b"go\n")
            assert told == b"unavailable\n"
            assert await database.read(requests) == ["after"]
            assert await database.read(head) == 0
