"""New, migrated databases for tests, of both kinds, and a gate that keeps their threads busy."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import psycopg
from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from discovery.clock import Clock, SystemClock
from services.chassis.store.database import Database
from services.chassis.store.migrations import CHASSIS_VERSIONS
from services.chassis.store.unit.unit import unit_of_work
from services.chassis.store.urls import dialect_of
from tests.support.limits import WAIT_S
from tests.support.store.postgres_pool import PostgresPool

SQLITE, POSTGRESQL = KINDS = ("sqlite", "postgresql")

# How long PostgreSQL lets a test's transaction stay idle; long, because the machine may be busy.
IDLE_TRANSACTION_TIMEOUT = "1min"

# What each driver raises for a violated constraint.
CONSTRAINT_VIOLATION = (sqlite3.IntegrityError, psycopg.IntegrityError)

# The newest revision of the chassis's tables.
NEWEST_CHASSIS = f"chassis_{max(file.name for file in CHASSIS_VERSIONS.glob('0*.py'))[:4]}"

# Tests kill processes but never cut the power, so a file in memory is as durable as one on disk.
_MEMORY = Path("/dev/shm")

_MIGRATED_FILES: dict[Path, bytes] = {}


class Databases(Protocol):
    """The databases of one test: files in a folder, or databases of a server."""

    kind: str

    def url(self, name: str = "test") -> str:
        """The URL of the database of that name; a new one is created without tables."""
        ...

    async def migrated(self, versions: Path, name: str) -> str:
        """Like `url`, but a new database has the tables of the chassis and of `versions`."""
        ...


class SqliteDatabases:
    """SQLite files, copied from one migrated file because migrating is slower than most tests."""

    kind = SQLITE

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str = "test") -> Path:
        """The file of the database of that name."""
        return self._folder / f"{name}.db"

    def url(self, name: str = "test") -> str:
        return f"sqlite:///{self.path(name)}"

    async def migrated(self, versions: Path, name: str) -> str:
        if not self.path(name).exists():
            if versions not in _MIGRATED_FILES:
                # One test may need the tables of several services.
                template = f"template-{len(_MIGRATED_FILES)}"
                await migrate(self.url(template), versions)
                _MIGRATED_FILES[versions] = self.path(template).read_bytes()
            self.path(name).write_bytes(_MIGRATED_FILES[versions])
        return self.url(name)


class PostgresDatabases:
    """Databases of one PostgreSQL server, returned to the pool at the end of the test."""

    kind = POSTGRESQL

    def __init__(self, pool: PostgresPool) -> None:
        self._pool = pool
        self._names: dict[str, str] = {}
        self._migrated: dict[str, Path] = {}

    def url(self, name: str = "test") -> str:
        if name not in self._names:
            self._names[name] = self._pool.new()
        # A busy machine may take longer for a connection than a service would wait.
        limit = {"connect_timeout": f"{WAIT_S:.0f}"}
        url = make_url(self._pool.url(self._names[name])).update_query_dict(limit)
        return url.render_as_string(hide_password=False)

    async def migrated(self, versions: Path, name: str) -> str:
        if name not in self._names:
            self._names[name] = await self._pool.migrated(versions)
            self._migrated[name] = versions
        return self.url(name)

    def give_back(self) -> None:
        """Return all databases to the pool."""
        for name, database in self._names.items():
            if name in self._migrated:
                self._pool.take_back(database, self._migrated[name])
            else:
                self._pool.clear(database)
        self._names.clear()
        self._migrated.clear()


@contextmanager
def sqlite_databases() -> Iterator[Databases]:
    """SQLite databases that exist while the block runs."""
    with TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        yield SqliteDatabases(Path(folder))


@contextmanager
def databases_of(kind: str, pool: Callable[[], PostgresPool]) -> Iterator[Databases]:
    """Databases of a kind that exist while the block runs; `pool` is called only for PostgreSQL."""
    if kind == SQLITE:
        with sqlite_databases() as files:
            yield files
        return
    databases = PostgresDatabases(pool())
    try:
        yield databases
    finally:
        databases.give_back()


@contextmanager
def writing(url: str) -> Iterator[Connection]:
    """A connection with the writers' lock, like another process has; commits after the block."""
    dialect = dialect_of(url)
    dialect.lock()
    connection = dialect.open_writer()
    try:
        dialect.begin(connection)
        with unit_of_work(connection, dialect) as unit:
            yield connection
            unit.flush()
        dialect.commit(connection)
    finally:
        dialect.close(connection)
        dialect.unlock()


def tamper(url: str, statement: str) -> None:
    """Execute a statement that no service would, to damage or prepare the tables."""
    with writing(url) as connection:
        connection.exec_driver_sql(statement)


async def open_database(
    databases: Databases,
    versions: Path = CHASSIS_VERSIONS,
    *,
    clock: Clock | None = None,
    owner: str = "test",
    name: str = "test",
    lock_wait_s: float = WAIT_S,
) -> Database:
    """Open database `name`, with the tables of the chassis and of `versions`; close it yourself.

    A second call with the same name opens the same database, like another instance. A write waits
    for its turn far longer than in a service, which on a busy machine would refuse it.
    """
    url = await databases.migrated(versions, name)
    return await Database.open(
        url, clock=clock or SystemClock(), owner=owner, lock_wait_s=lock_wait_s
    )


@asynccontextmanager
async def opened_database(
    databases: Databases,
    versions: Path = CHASSIS_VERSIONS,
    *,
    clock: Clock | None = None,
    owner: str = "test",
    name: str = "test",
    lock_wait_s: float = WAIT_S,
) -> AsyncIterator[Database]:
    """Like `open_database`, but closed after the block."""
    database = await open_database(
        databases, versions, clock=clock, owner=owner, name=name, lock_wait_s=lock_wait_s
    )
    try:
        yield database
    finally:
        await database.close()


class Gate:
    """A database function that blocks its thread until the test opens the gate."""

    def __init__(self) -> None:
        self._entered = threading.Event()
        self._opened = threading.Event()

    def __call__(self, _: Connection) -> None:
        self._entered.set()
        assert self._opened.wait(WAIT_S), "nobody opened the gate"

    async def entered(self) -> None:
        """Wait until a thread of the database runs the function."""
        assert await asyncio.to_thread(self._entered.wait, WAIT_S)

    def open(self) -> None:
        """Let the function return."""
        self._opened.set()


async def migrate(url: str, versions: Path) -> None:
    """Create the tables of the chassis and of `versions`."""
    database = await Database.open(url, clock=SystemClock(), owner="template")
    try:
        await database.migrate(versions)
    finally:
        await database.close()
