"""Fresh, migrated databases for a test, of either kind, and a way to keep their threads busy."""

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

from discovery.clock import Clock, SystemClock
from services.chassis.store.database import Database
from services.chassis.store.migrations import CHASSIS_VERSIONS
from services.chassis.store.urls import dialect_of
from tests.support.store.postgres_pool import PostgresPool

SQLITE, POSTGRESQL = KINDS = ("sqlite", "postgresql")

# How long PostgreSQL lets a transaction idle, on a busy machine, that a test keeps open.
PATIENCE = "1min"

# What each driver raises for a broken constraint.
BROKEN_CONSTRAINT = (sqlite3.IntegrityError, psycopg.IntegrityError)

# Processes die in tests, power doesn't fail: a file in memory is as good as one on disk.
_MEMORY = Path("/dev/shm")
_WAIT_S = 10.0

_MIGRATED_FILES: dict[Path, bytes] = {}


class Databases(Protocol):
    """Where the databases of one test are: a folder of files, or a server."""

    kind: str

    def url(self, name: str = "test") -> str:
        """The URL of the database of that name, which is made, without tables, if it is new."""
        ...

    async def migrated(self, versions: Path, name: str) -> str:
        """The same, but a new one has the tables of the chassis and of `versions`."""
        ...


class SqliteDatabases:
    """Files in a folder; migrating takes longer than most tests, so it is done once and copied."""

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
    """Databases of one server, given back at the end of the test."""

    kind = POSTGRESQL

    def __init__(self, stock: PostgresPool) -> None:
        self._stock = stock
        self._names: dict[str, str] = {}
        self._migrated: dict[str, Path] = {}

    def url(self, name: str = "test") -> str:
        if name not in self._names:
            self._names[name] = self._stock.new()
        return self._stock.url(self._names[name])

    async def migrated(self, versions: Path, name: str) -> str:
        if name not in self._names:
            self._names[name] = await self._stock.migrated(versions)
            self._migrated[name] = versions
        return self.url(name)

    def give_back(self) -> None:
        """Let the next test have them."""
        for name, database in self._names.items():
            if name in self._migrated:
                self._stock.take_back(database, self._migrated[name])
            else:
                self._stock.drop(database)


@contextmanager
def sqlite_databases() -> Iterator[Databases]:
    """Files, for as long as the block."""
    with TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        yield SqliteDatabases(Path(folder))


@contextmanager
def databases_of(kind: str, stock: Callable[[], PostgresPool]) -> Iterator[Databases]:
    """Databases of a kind, for as long as the block; the stock is asked for where needed."""
    if kind == SQLITE:
        with sqlite_databases() as files:
            yield files
        return
    databases = PostgresDatabases(stock())
    try:
        yield databases
    finally:
        databases.give_back()


@contextmanager
def writing(url: str) -> Iterator[Connection]:
    """A connection that holds the writers' lock, as another process would, and then commits."""
    dialect = dialect_of(url)
    dialect.lock()
    connection = dialect.open_writer()
    try:
        dialect.begin(connection)
        yield connection
        dialect.commit(connection)
    finally:
        dialect.close(connection)
        dialect.unlock()


def tamper(url: str, statement: str) -> None:
    """Do to the tables what no caller can."""
    with writing(url) as connection:
        connection.exec_driver_sql(statement)


async def open_database(
    databases: Databases,
    versions: Path = CHASSIS_VERSIONS,
    *,
    clock: Clock | None = None,
    owner: str = "test",
    name: str = "test",
) -> Database:
    """Open database `name`, with the tables of the chassis and of `versions`; close it yourself.

    A second call for the same name opens what is there, as another instance would.
    """
    url = await databases.migrated(versions, name)
    return await Database.open(url, clock=clock or SystemClock(), owner=owner)


@asynccontextmanager
async def opened_database(
    databases: Databases,
    versions: Path = CHASSIS_VERSIONS,
    *,
    clock: Clock | None = None,
    owner: str = "test",
    name: str = "test",
) -> AsyncIterator[Database]:
    """`open_database` that closes it at the end of the block."""
    database = await open_database(databases, versions, clock=clock, owner=owner, name=name)
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


async def migrate(url: str, versions: Path) -> None:
    """Make the tables of the chassis and of `versions`."""
    database = await Database.open(url, clock=SystemClock(), owner="template")
    try:
        await database.migrate(versions)
    finally:
        await database.close()
