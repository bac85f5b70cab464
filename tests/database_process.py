"""Another process on a database, for the tests of what processes do to each other.

    python -m tests.database_process hold PATH            take the writers' lock, and keep it
    python -m tests.database_process write PATH NAME N    append N events, one write each
    python -m tests.database_process stop PATH            begin a write and never end it
    python -m tests.database_process migrate PATH         migrate

Each says "ready" on a line once it holds, writes or is stopped, and starts after a line on stdin
where it has to begin together with others.
"""

import asyncio
import random
import sys
import threading
from pathlib import Path

from sqlalchemy import Connection

from discovery.clock import SystemClock
from services.chassis.database import Database
from services.chassis.event_log import EventLog, NewEvent
from services.chassis.file_lock import FileLock
from services.chassis.ids import IdFactory
from services.chassis.migrations import CHASSIS_VERSIONS


def _say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def hold(path: Path) -> None:
    """Take the writers' lock and keep it until stdin ends."""
    lock = FileLock(path.with_name(path.name + ".lock"))
    lock.acquire()
    _say_ready()
    sys.stdin.read()


async def write(path: Path, name: str, number: int) -> None:
    """Append `number` events, each in a write of its own."""
    clock = SystemClock()
    log = EventLog(clock=clock, ids=IdFactory(clock=clock, rng=random.Random(name)))
    database = await Database.open(f"sqlite:///{path}", clock=clock, owner=name)
    _say_ready()
    sys.stdin.readline()
    async with asyncio.TaskGroup() as group:
        for index in range(number):
            event = NewEvent(type=name, payload=b"")
            group.create_task(database.write(log.append, f"{name}_{index}", 0, (event,)))
    await database.close()


async def stop(path: Path) -> None:
    """Begin a write that never ends."""

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("UPDATE event_counter SET position = position + 1000")
        _say_ready()
        threading.Event().wait()

    database = await Database.open(f"sqlite:///{path}", clock=SystemClock(), owner="stopped")
    await database.write(begin)


async def migrate(path: Path) -> None:
    """Migrate once told to."""
    database = await Database.open(f"sqlite:///{path}", clock=SystemClock(), owner="migrating")
    _say_ready()
    sys.stdin.readline()
    await database.migrate(CHASSIS_VERSIONS)
    await database.close()


def _main(command: str, path: str, *arguments: str) -> None:
    if command == "hold":
        hold(Path(path))
    elif command == "write":
        name, number = arguments
        asyncio.run(write(Path(path), name, int(number)))
    elif command == "stop":
        asyncio.run(stop(Path(path)))
    else:
        asyncio.run(migrate(Path(path)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
