"""The floor's store: raw sqlite3, one writer thread, group commit, and nothing else.

It has the durability of the services' own store (write-ahead log, synchronous=FULL) and its
turn-taking between processes (flock), so that what is compared is what lies above.
"""

import asyncio
import queue
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

from services.chassis.file_lock import FileLock

BATCH_COMMITS = 64
_CHECKPOINT_PAGES = 8000
_TABLE = """
    CREATE TABLE IF NOT EXISTS entry (
        number INTEGER PRIMARY KEY, kind TEXT NOT NULL, payload BLOB NOT NULL
    )
"""
_INSERT = "INSERT INTO entry (kind, payload) VALUES (?, ?)"
_SELECT = "SELECT kind, payload FROM entry WHERE number = ?"


@dataclass(frozen=True, slots=True)
class _Job:
    kind: str
    payload: bytes
    done: asyncio.Future[None]


class SkeletonStore:
    """One file, shared by the two processes of a service; each has one writer thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=path.stem, daemon=True).start()

    async def commit(self, kind: str, payload: bytes) -> None:
        """Insert a row, read it again, and return once that is durable."""
        done = self._loop.create_future()
        self._queue.put(_Job(kind, payload, done))
        await done

    def _work(self) -> None:
        lock = FileLock(self._path.with_name(self._path.name + ".lock"))
        connection: sqlite3.Connection | None = None
        while True:
            first = self._queue.get()
            lock.acquire()
            if connection is None:
                connection = _open(self._path)
            connection.execute("BEGIN IMMEDIATE")
            jobs = [first]
            _write(connection, first)
            while len(jobs) < BATCH_COMMITS and not self._queue.empty():
                jobs.append(self._queue.get())
                _write(connection, jobs[-1])
            connection.execute("COMMIT")
            lock.release()
            self._loop.call_soon_threadsafe(_settle, jobs)


def _open(path: Path) -> sqlite3.Connection:
    """Under the lock: two processes can't switch one file to WAL at the same time."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
    connection.execute(_TABLE)
    return connection


def _write(connection: sqlite3.Connection, job: _Job) -> None:
    number = connection.execute(_INSERT, (job.kind, job.payload)).lastrowid
    connection.execute(_SELECT, (number,)).fetchone()


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        if not job.done.done():
            job.done.set_result(None)
