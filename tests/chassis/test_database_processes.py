"""Several processes write one file, one at a time, and none waits for ever."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from services.chassis.database import Database, StoreUnavailableError
from services.chassis.event_log import EVENT
from tests.databases import Gate, open_database, opened_database
from tests.manual_clock import ManualClock

ROOT = Path(__file__).parents[2]
WAIT_S = 20.0


@asynccontextmanager
async def another_process(*arguments: str | Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that has said "ready"; killed at the end of the block if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.database_process",
        *map(str, arguments),
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
    connection.exec_driver_sql(
        "INSERT INTO request VALUES ('Test', ?, x'00', 'r', NULL, 0)", (request_id,)
    )


def requests(connection: Connection) -> list[str]:
    """The rows that `add_request` wrote."""
    return [row[0] for row in connection.exec_driver_sql("SELECT request_id FROM request")]


def positions_and_types(connection: Connection) -> list[tuple[int, str]]:
    """Position and type of every event, in order."""
    rows = connection.execute(select(EVENT.c.position, EVENT.c.type).order_by(EVENT.c.position))
    return [(row.position, row.type) for row in rows]


async def migrated_file(folder: Path) -> Path:
    """A database file that no process has open."""
    database = await open_database(folder, name="shared.db")
    await database.close()
    return folder / "shared.db"


async def test_two_processes_write_one_gapless_log(tmp_path: Path) -> None:
    """What two processes append at the same time gets the positions 1..n, each once."""
    path = await migrated_file(tmp_path)
    async with (
        another_process("write", path, "left", "150") as left,
        another_process("write", path, "right", "150") as right,
    ):
        await asyncio.gather(go(left), go(right))

    async with opened_database(tmp_path, name="shared.db") as database:
        events = await database.read(positions_and_types)
    assert [position for position, _ in events] == list(range(1, 301))
    assert [name for _, name in events].count("left") == 150


async def test_nobody_waits_longer_than_the_bound_for_a_frozen_writer(tmp_path: Path) -> None:
    """A process frozen with the lock makes writes unavailable after the bound, and reads go on.

    What was given up is not written later; once the lock is free again, writes are.
    """
    path = await migrated_file(tmp_path)
    clock = ManualClock()
    async with opened_database(tmp_path, name="shared.db", clock=clock) as database:
        async with another_process("hold", path):
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


async def test_a_slow_write_of_our_own_is_waited_for(tmp_path: Path) -> None:
    """Only the lock has a bound: behind a slow disk, or a paused process, a turn comes late."""
    clock = ManualClock()
    async with opened_database(tmp_path, clock=clock) as database:
        gate = Gate()
        slow = asyncio.create_task(database.write(gate))
        await gate.entered()
        waiting = asyncio.create_task(database.write(add_request, "waiting"))
        await clock.advance(10.0)
        gate.open()
        await slow
        await waiting
        assert await database.read(requests) == ["waiting"]


async def test_closing_does_not_wait_for_a_frozen_writer(tmp_path: Path) -> None:
    """A process can stop while another one holds the lock; who still waits is told."""
    path = await migrated_file(tmp_path)
    clock = ManualClock()
    database = await open_database(tmp_path, name="shared.db", clock=clock)
    async with another_process("hold", path):
        waiting = asyncio.create_task(database.write(add_request, "waiting"))
        await clock.settle()
        closing = asyncio.create_task(database.close())
        await clock.advance(2.0)
        async with asyncio.timeout(WAIT_S):
            await closing
        with pytest.raises(StoreUnavailableError):
            await waiting


async def test_a_killed_writer_leaves_neither_lock_nor_work(tmp_path: Path) -> None:
    """The kernel frees the lock of a process killed in mid-write, SQLite undoes its work."""
    path = await migrated_file(tmp_path)
    async with another_process("stop", path) as stopped:
        stopped.kill()
        await stopped.wait()
        async with opened_database(tmp_path, name="shared.db") as database:
            async with asyncio.timeout(WAIT_S):
                await database.write(add_request, "after")
            head = await database.read(
                lambda c: c.exec_driver_sql("SELECT position FROM event_counter").scalar_one()
            )
    assert head == 0


async def test_two_instances_migrate_at_once(tmp_path: Path) -> None:
    """Instances that start together end with the tables made once and one epoch."""
    path = tmp_path / "new.db"
    async with another_process("migrate", path) as one, another_process("migrate", path) as two:
        await asyncio.gather(go(one), go(two))

    async with opened_database(tmp_path, name="new.db") as database:
        revisions = await database.read(
            lambda c: c.exec_driver_sql("SELECT version_num FROM alembic_version").all()
        )
        counters = await database.read(
            lambda c: c.exec_driver_sql("SELECT position, epoch FROM event_counter").all()
        )
    assert [tuple(row) for row in revisions] == [("chassis_0002",)]
    assert [row.position for row in counters] == [0]
    assert counters[0].epoch


async def test_two_databases_of_one_process_take_turns(tmp_path: Path) -> None:
    """Two instances in one process (a test, a simulation) exclude each other like two processes."""
    one: Database
    async with (
        opened_database(tmp_path, name="shared.db", owner="one") as one,
        opened_database(tmp_path, name="shared.db", owner="two") as two,
    ):
        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(one.write(add_request, f"one-{number}"))
                group.create_task(two.write(add_request, f"two-{number}"))
        assert len(await one.read(requests)) == 200
