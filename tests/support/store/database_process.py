"""Another process on a database, for the tests of what processes do to each other.

PROCESS is `tests.support.store.database_process`:

    python -m PROCESS hold URL            take the writers' lock, and keep it
    python -m PROCESS write URL NAME N    append N events, one write each
    python -m PROCESS pause URL           begin a write, go on after a line on stdin
    python -m PROCESS migrate URL         migrate

Each says "ready" on a line once it holds, writes or is stopped, and starts after a line on stdin
where it has to begin together with others.
"""

import asyncio
import random
import sys

from sqlalchemy import Connection

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog, NewEvent
from services.chassis.store.database import Database, StoreUnavailableError
from services.chassis.store.migrations import CHASSIS_VERSIONS
from services.chassis.store.urls import dialect_of

MOVE = "UPDATE event_counter SET position = position + 1000"


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def hold(url: str) -> None:
    """Take the writers' lock and keep it until stdin ends."""
    dialect = dialect_of(url)
    dialect.lock()
    dialect.begin(dialect.open_writer())
    _say("ready")
    sys.stdin.read()


async def write(url: str, name: str, number: int) -> None:
    """Append `number` events, each in a write of its own."""
    clock = SystemClock()
    log = EventLog(clock=clock, ids=IdFactory(clock=clock, rng=random.Random(name)))
    database = await Database.open(url, clock=clock, owner=name)
    _say("ready")
    sys.stdin.readline()
    async with asyncio.TaskGroup() as group:
        for index in range(number):
            event = NewEvent(type=name, payload=b"")
            group.create_task(database.write(log.append, f"{name}_{index}", 0, (event,)))
    await database.close()


async def pause(url: str) -> None:
    """Pause in the middle of a write until told to go on, and say how it ended."""

    def move(connection: Connection) -> None:
        connection.exec_driver_sql(MOVE)
        _say("ready")
        sys.stdin.readline()
        connection.exec_driver_sql(MOVE)

    database = await Database.open(url, clock=SystemClock(), owner="pausing")
    try:
        await database.write(move)
    except StoreUnavailableError:
        _say("unavailable")
    else:
        _say("written")
    await database.close()


async def migrate(url: str) -> None:
    """Migrate once told to."""
    database = await Database.open(url, clock=SystemClock(), owner="migrating")
    _say("ready")
    sys.stdin.readline()
    await database.migrate(CHASSIS_VERSIONS)
    await database.close()


def _main(command: str, url: str, *arguments: str) -> None:
    if command == "hold":
        hold(url)
    elif command == "write":
        name, number = arguments
        asyncio.run(write(url, name, int(number)))
    elif command == "pause":
        asyncio.run(pause(url))
    else:
        asyncio.run(migrate(url))


if __name__ == "__main__":
    _main(*sys.argv[1:])
