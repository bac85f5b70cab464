"""SQLite as the store of one service: write-ahead log, synchronous=FULL, writers one at a time.

pysqlite's own transaction handling is off (isolation_level=None), so that BEGIN IMMEDIATE,
savepoints and COMMIT are ours and go straight to the driver: SQLAlchemy's transaction objects
cost more than the statements. The SQLAlchemy connection is left in one transaction of its own,
begun when it is opened and never ended, which sends nothing to the database.
"""

import sqlite3
from pathlib import Path
from typing import cast

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from services.chassis.store.errors import DatabaseSettingsError
from services.chassis.store.file_lock import FileLock

# Primary result codes (https://www.sqlite.org/rescode.html) that blame the store.
_STORE_FAILURES = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_ABORT,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
_PRIMARY_CODE = 0xFF

# For a writer that doesn't know our lock: an operator's shell, a backup.
_BUSY_TIMEOUT_MS = 2000
_CACHE_KIB = 8192
# A checkpoint copies each page once, however often it was written: SQLite's default of 1,000
# pages comes every twenty baskets of ten lines. 8,000 are a log of 32 MiB.
_CHECKPOINT_PAGES = 8000


class SqliteDialect:
    """One database file; see `Dialect`."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path.with_name(path.name + ".lock"))
        self._engine: Engine = create_engine(
            URL.create("sqlite", database=str(path)),
            poolclass=NullPool,
            # An error of the driver is logged whole; what was to be stored is not part of it.
            hide_parameters=True,
            connect_args={"isolation_level": None, "check_same_thread": False},
        )

    def open_writer(self) -> Connection:
        # Safe only under the lock: two processes that switch one file to WAL at the same time
        # can see SQLITE_BUSY without any wait.
        return self._open(
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}",
        )

    def open_reader(self) -> Connection:
        return self._open("PRAGMA query_only=ON")

    def lock(self) -> None:
        self._lock.acquire()

    def unlock(self) -> None:
        self._lock.release()

    def begin(self, connection: Connection) -> None:
        _driver(connection).execute("BEGIN IMMEDIATE")

    def begin_snapshot(self, connection: Connection) -> None:
        _driver(connection).execute("BEGIN")

    def savepoint(self, connection: Connection) -> None:
        _driver(connection).execute("SAVEPOINT one_write")

    def rollback_to_savepoint(self, connection: Connection) -> None:
        _driver(connection).execute("ROLLBACK TO one_write")
        _driver(connection).execute("RELEASE one_write")

    def commit(self, connection: Connection) -> None:
        _driver(connection).execute("COMMIT")

    def rollback(self, connection: Connection) -> None:
        _driver(connection).execute("ROLLBACK")

    def is_open(self, connection: Connection) -> bool:
        return _driver(connection).in_transaction

    def is_spoilt(self, connection: Connection) -> bool:
        return False

    def is_lock_timeout(self, error: BaseException) -> bool:
        return False

    def is_store_failure(self, error: BaseException) -> bool:
        cause = error.orig if isinstance(error, DBAPIError) else error
        # Absent where the driver itself refuses, and from errors of anything else.
        code = getattr(cause, "sqlite_errorcode", None)
        return code is not None and code & _PRIMARY_CODE in _STORE_FAILURES

    def close(self, connection: Connection) -> None:
        connection.invalidate()
        connection.close()

    def _open(self, *pragmas: str) -> Connection:
        connection = self._engine.connect()
        connection.begin()
        for pragma in (
            f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}",
            "PRAGMA foreign_keys=ON",
            f"PRAGMA cache_size=-{_CACHE_KIB}",
            # What a savepoint may have to undo: beyond 64 KiB SQLite keeps it in a temporary file,
            # made anew for each batch, on a disk that may be full where the database's isn't.
            "PRAGMA temp_store=MEMORY",
            *pragmas,
        ):
            _driver(connection).execute(pragma)
        return connection


def path_of(url: URL) -> Path:
    """The file of `sqlite:////path/file.db`. Raises DatabaseSettingsError where there can't be."""
    if not url.database or url.database == ":memory:":
        raise DatabaseSettingsError("a database in memory cannot be shared by its readers")
    path = Path(url.database)
    if not path.parent.is_dir():
        raise DatabaseSettingsError(f"{path.parent} is no folder")
    return path


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.dbapi_connection)
