"""A fresh, migrated database for a test, and a way to keep its threads busy."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import Connection

from discovery.clock import Clock, SystemClock
from services.chassis.database import Database
from services.chassis.migrations import CHASSIS_VERSIONS

_WAIT_S = 10.0

_MIGRATED: dict[Path, bytes] = {}


async def open_database(
    folder: Path,
    versions: Path = CHASSIS_VERSIONS,
    *,
    clock: Clock | None = None,
    owner: str = "test",
    name: str = "test.db",
) -> Database:
    """Open `folder`/`name`, with the tables of the chassis and of `versions`; close it yourself.

    A second call for the same file opens what is there, as another instance would. Migrating
    takes longer than most tests, so each set of tables is migrated once per test run and copied.
    """
    clock = clock or SystemClock()
    path = folder / name
    if not path.exists():
        path.write_bytes(await _migrated(folder, versions))
    return await Database.open(f"sqlite:///{path}", clock=clock, owner=owner)


@asynccontextmanager
async def opened_database(
    folder: Path,
    versions: Path = CHASSIS_VERSIONS,
    *,
    clock: Clock | None = None,
    owner: str = "test",
    name: str = "test.db",
) -> AsyncIterator[Database]:
    """`open_database` that closes it at the end of the block."""
    database = await open_database(folder, versions, clock=clock, owner=owner, name=name)
    try:
        yield database
    finally:
        await database.close()


class Gate:
    """A database function that keeps its thread busy until the test opens it."""

    def __init__(self) -> None:
        self._entered = threading.Event()
        self._opened = threading.Event()

    def __call__(self, _: Connection) -> None:
        self._entered.set()
        assert self._opened.wait(_WAIT_S), "nobody opened the gate"

    async def entered(self) -> None:
        """Wait until a thread of the database is inside."""
        assert await asyncio.to_thread(self._entered.wait, _WAIT_S)

    def open(self) -> None:
        """Let the thread go on."""
        self._opened.set()


async def _migrated(folder: Path, versions: Path) -> bytes:
    if versions not in _MIGRATED:
        template = folder / "template.db"
        database = await Database.open(
            f"sqlite:///{template}", clock=SystemClock(), owner="template"
        )
        try:
            await database.migrate(versions)
        finally:
            await database.close()
        _MIGRATED[versions] = template.read_bytes()
    return _MIGRATED[versions]
