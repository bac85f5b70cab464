"""A read takes no longer than its caller waits, and its thread is free afterwards."""

import asyncio
import contextlib
import threading

import pytest
from sqlalchemy import Connection

from discovery.clock import SystemClock
from services.chassis.store.database import Database
from services.chassis.store.errors import ReadTimeoutError
from tests.support.limits import WAIT_S
from tests.support.store.databases import KINDS, SQLITE, Databases

ROUNDS = 10
COUNTED = 100_000
_NUMBERS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n{}) SELECT count(*) FROM n"
)
ENDLESS = _NUMBERS.format("")
COUNTING = _NUMBERS.format(f" WHERE i < {COUNTED}")


def read_one(connection: Connection) -> int:
    """A short read."""
    return int(connection.exec_driver_sql("SELECT 1").scalar_one())


def count(connection: Connection) -> int:
    """A read that takes a while."""
    return int(connection.exec_driver_sql(COUNTING).scalar_one())


class EndlessRead:
    """A read that never ends by itself; `begun` is set once its thread has it."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, connection: Connection) -> None:
        self._loop.call_soon_threadsafe(self.begun.set)
        connection.exec_driver_sql(ENDLESS)


class HeldRead:
    """A read between two statements, which ends once `end` is set; it may lose its connection."""

    def __init__(self, *, loses_connection: bool = False) -> None:
        self.begun = asyncio.Event()
        self.end = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._loses_connection = loses_connection

    def __call__(self, connection: Connection) -> None:
        connection.exec_driver_sql("SELECT 1")
        if self._loses_connection:
            connection.invalidate()
        self._loop.call_soon_threadsafe(self.begun.set)
        self.end.wait(WAIT_S)


@pytest.mark.parametrize("databases", KINDS, indirect=True)
async def test_a_read_whose_caller_left_frees_its_thread(databases: Databases) -> None:
    """When a caller's deadline ends, its read is ended, and the only thread reads for others."""
    database = await Database.open(
        databases.url("long"), clock=SystemClock(), owner="test", readers=1, timeout_s=600
    )
    try:
        endless = EndlessRead()
        reading = asyncio.create_task(database.read(endless))
        async with asyncio.timeout(WAIT_S):
            await endless.begun.wait()
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            assert await database.read(read_one) == 1
    finally:
        await database.close()


@pytest.mark.parametrize("loses_connection", [False, True])
@pytest.mark.parametrize("databases", KINDS, indirect=True)
async def test_the_end_of_a_read_hits_no_other_read(
    databases: Databases, *, loses_connection: bool
) -> None:
    """A read that ends, or fails, just when its caller leaves takes no later read with it."""
    database = await Database.open(
        databases.url("short"), clock=SystemClock(), owner="test", readers=1, timeout_s=600
    )
    try:
        async with asyncio.timeout(WAIT_S):
            for _ in range(ROUNDS):
                held = HeldRead(loses_connection=loses_connection)
                reading = asyncio.create_task(database.read(held))
                await held.begun.wait()
                reading.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await reading
                held.end.set()
                assert await database.read(count) == COUNTED
    finally:
        await database.close()


@pytest.mark.parametrize("databases", [SQLITE], indirect=True)
async def test_a_read_that_takes_too_long_is_ended(databases: Databases) -> None:
    """A read of a patient caller ends after the timeout, with an error that names the setting."""
    database = await Database.open(
        databases.url("long"), clock=SystemClock(), owner="test", readers=1, timeout_s=1
    )
    try:
        async with asyncio.timeout(WAIT_S):
            with pytest.raises(ReadTimeoutError, match="DATABASE_TIMEOUT_S"):
                await database.read(EndlessRead())
            assert await database.read(read_one) == 1
    finally:
        await database.close()
