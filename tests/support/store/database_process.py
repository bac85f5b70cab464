"""A program that uses a database in a process of its own, for tests with several processes.

PROCESS is `tests.support.store.database_process`:

    python -m PROCESS hold URL            take the writers' lock and keep it
    python -m PROCESS write URL NAME N    append N events, one write each, after a line on stdin
    python -m PROCESS pause URL           begin a write, and continue it after a line on stdin
    python -m PROCESS migrate URL         migrate after a line on stdin
    python -m PROCESS own URL NAME        lease the work `ord_1` as owner NAME, and keep living

Each prints the line "ready" once it holds the lock or the lease, or waits for the line on stdin.
"""

import asyncio
import random
import sys
from contextlib import suppress

from sqlalchemy import Connection

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog, NewEvent
from services.chassis.store.database import Database, StoreUnavailableError
from services.chassis.store.migrations import CHASSIS_VERSIONS
from services.chassis.store.urls import dialect_of
from services.chassis.work.lease import Leases
from services.chassis.work.owner_watch import register_owner

OWN_SUBJECT = "ord_1"
OWN_KIND = "checkout"
OWN_LEASE_S = 3600.0
MOVE = "UPDATE event_counter SET position = position + 1000"


def _print_line(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def hold(url: str) -> None:
    """Take the writers' lock and keep it until stdin ends."""
    dialect = dialect_of(url)
    dialect.lock()
    dialect.begin(dialect.open_writer())
    _print_line("ready")
    sys.stdin.read()


async def write(url: str, name: str, number: int) -> None:
    """Append `number` events, one write each, after a line on stdin.

    A write that waited too long for the lock, while the machine was busy, is made again.
    """
    clock = SystemClock()
    log = EventLog(clock=clock, ids=IdFactory(clock=clock, rng=random.Random(name)))
    database = await Database.open(url, clock=clock, owner=name)
    _print_line("ready")
    sys.stdin.readline()

    async def append(subject: str) -> None:
        while True:
            with suppress(StoreUnavailableError):
                await database.write(log.append, subject, 0, (NewEvent(type=name, payload=b""),))
                return

    async with asyncio.TaskGroup() as group:
        for index in range(number):
            group.create_task(append(f"{name}_{index}"))
    await database.close()


async def pause(url: str) -> None:
    """Pause in the middle of a write until a line arrives on stdin; print how the write ended."""

    def move(connection: Connection) -> None:
        connection.exec_driver_sql(MOVE)
        _print_line("ready")
        sys.stdin.readline()
        connection.exec_driver_sql(MOVE)

    database = await Database.open(url, clock=SystemClock(), owner="pausing")
    try:
        await database.write(move)
    except StoreUnavailableError:
        _print_line("unavailable")
    else:
        _print_line("written")
    await database.close()


async def migrate(url: str) -> None:
    """Migrate after a line on stdin."""
    database = await Database.open(url, clock=SystemClock(), owner="migrating")
    _print_line("ready")
    sys.stdin.readline()
    await database.migrate(CHASSIS_VERSIONS)
    await database.close()


async def own(url: str, name: str) -> None:
    """Mark an owner as alive and lease work to it for longer than any test; live until killed."""
    clock = SystemClock()
    leases = Leases(owner=name, clock=clock, rng=random.Random(name), lease_s=OWN_LEASE_S)
    database = await Database.open(url, clock=clock, owner=name)
    await database.mark_owner(name)
    await database.write(register_owner, leases)
    await database.write(leases.open, OWN_SUBJECT, OWN_KIND)
    _print_line("ready")
    await asyncio.Event().wait()


def _main(command: str, url: str, *arguments: str) -> None:
    if command == "hold":
        hold(url)
    elif command == "write":
        name, number = arguments
        asyncio.run(write(url, name, int(number)))
    elif command == "own":
        asyncio.run(own(url, *arguments))
    elif command == "pause":
        asyncio.run(pause(url))
    else:
        asyncio.run(migrate(url))


if __name__ == "__main__":
    _main(*sys.argv[1:])
