"""The store of the floor: raw SQL, one writer thread, group commit, and nothing else.

It is as durable as the services' own store (on SQLite a write-ahead log with synchronous=FULL, on
PostgreSQL COMMIT), and processes take turns in the same way (flock, an advisory lock). So a
comparison shows the cost of everything above the store.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from services.chassis.store.postgres import WRITERS_LOCK
from services.chassis.store.sqlite import FileLock

BATCH_COMMITS = 64
_CHECKPOINT_PAGES = 8000
_TABLE = (
    "CREATE TABLE IF NOT EXISTS entry (number {key}, kind TEXT NOT NULL, payload {bytes} NOT NULL)"
)
_INSERT = "INSERT INTO entry (kind, payload) VALUES ({0}, {0}) RETURNING number"
_SELECT = "SELECT kind, payload FROM entry WHERE number = {0}"

# A transaction under the writers' lock: yields a function that inserts a row and reads it again.
Batch = Callable[[], AbstractContextManager[Callable[[str, bytes], None]]]


@dataclass(frozen=True, slots=True)
class _Job:
    kind: str
    payload: bytes
    done: asyncio.Future[None]


class FloorStore:
    """A store that the two processes of a service share; each process has one writer thread."""

    def __init__(self, url: str) -> None:
        """`url` is a SQLite file or a PostgreSQL database, as in DATABASE_URL."""
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        file = url.removeprefix("sqlite:///")
        batch = in_server(url) if file == url else in_file(Path(file))
        threading.Thread(target=self._work, args=(batch,), name="write", daemon=True).start()

    async def commit(self, kind: str, payload: bytes) -> None:
        """Insert a row, read it again, and return once it is durable."""
        done = self._loop.create_future()
        self._queue.put(_Job(kind, payload, done))
        await done

    def _work(self, batch: Batch) -> None:
        while True:
            first = self._queue.get()
            with batch() as write:
                jobs = [first]
                write(first.kind, first.payload)
                while len(jobs) < BATCH_COMMITS and not self._queue.empty():
                    jobs.append(self._queue.get())
                    write(jobs[-1].kind, jobs[-1].payload)
            self._loop.call_soon_threadsafe(_settle, jobs)


def in_file(path: Path) -> Batch:
    """Batches in a SQLite file; the first one opens it."""
    lock = FileLock(path.with_name(path.name + ".lock"))
    opened: list[sqlite3.Connection] = []
    insert, select = _INSERT.format("?"), _SELECT.format("?")

    @contextmanager
    def batch() -> Iterator[Callable[[str, bytes], None]]:
        lock.acquire()
        # Opened under the lock: two processes can't switch a file to WAL at the same time.
        connection = opened[0] if opened else _open(path)
        opened[:] = [connection]

        def write(kind: str, payload: bytes) -> None:
            number = connection.execute(insert, (kind, payload)).fetchone()
            connection.execute(select, number).fetchone()

        connection.execute("BEGIN IMMEDIATE")
        yield write
        connection.execute("COMMIT")
        lock.release()

    return batch


def in_server(url: str) -> Batch:
    """Batches in a PostgreSQL database, all on one connection."""
    opened: list[psycopg.Connection] = []
    insert, select = _INSERT.format("%s"), _SELECT.format("%s")
    begin = b"BEGIN; SELECT pg_advisory_xact_lock(%d)" % WRITERS_LOCK

    @contextmanager
    def batch() -> Iterator[Callable[[str, bytes], None]]:
        connection = opened[0] if opened else psycopg.connect(url, autocommit=True)
        connection.pgconn.exec_(begin)
        if not opened:
            connection.execute(_TABLE.format(key="BIGSERIAL PRIMARY KEY", bytes="BYTEA"))
            opened.append(connection)
        with connection.cursor() as cursor:

            def write(kind: str, payload: bytes) -> None:
                number = cursor.execute(insert, (kind, payload), prepare=True).fetchone()
                cursor.execute(select, number, prepare=True).fetchone()

            yield write
        connection.pgconn.exec_(b"COMMIT")

    return batch


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
    connection.execute(_TABLE.format(key="INTEGER PRIMARY KEY", bytes="BLOB"))
    return connection


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        if not job.done.done():
            job.done.set_result(None)
