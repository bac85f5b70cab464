"""The SQLite dialect: write-ahead log, synchronous=FULL, one writer at a time.

pysqlite's own transaction handling is off (isolation_level=None): this module sends BEGIN
IMMEDIATE, savepoints and COMMIT straight to the driver, because SQLAlchemy's transaction objects
cost more than the statements. The SQLAlchemy connection stays in one SQLAlchemy transaction, begun
when it is opened and never ended, which sends nothing to the database.
"""

import errno
import fcntl
import os
import sqlite3
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import cast

import structlog
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from services.chassis.store.dialect import owner_number
from services.chassis.store.errors import DatabaseSettingsError

# Primary result codes (https://www.sqlite.org/rescode.html) for failures of the store.
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
# What time doesn't mend: a folder or a file that isn't ours, or isn't a database.
_NOT_A_DATABASE = frozenset({sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB})
_NO_SUCH_FILE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.EISDIR})

# For writers that do not use our lock: an operator's shell, a backup.
_BUSY_TIMEOUT_MS = 2000
_CACHE_KIB = 8192
_CONNECT = {"isolation_level": None, "check_same_thread": False, "cached_statements": 500}
# A checkpoint copies each page once, however often it was written, so rare checkpoints are cheaper.
# SQLite's default of 1,000 pages is reached after twenty orders of ten lines; 8,000 pages are a log
# of 32 MiB.
_CHECKPOINT_PAGES = 8000
_PAGE_BYTES = 4096

# Steps of SQLite's machine between two looks at whether a read is over, about a millisecond; a
# look-up by key takes far fewer.
_STEPS_BETWEEN_LOOKS = 20_000

_LOG = structlog.get_logger(__name__)


class SqliteDialect:
    """One database file; see `Dialect`."""

    def __init__(self, path: Path, *, checkpoint_pages: int = _CHECKPOINT_PAGES) -> None:
        self._lock = FileLock(path.with_name(path.name + ".lock"))
        self._owners = OwnerFiles(path)
        self._checkpoint_pages = checkpoint_pages
        self._log_file = path.with_name(path.name + "-wal")
        self._log_max_bytes = checkpoint_pages * _PAGE_BYTES
        # The size from which on a long log is reported; it doubles with each report.
        self._report_bytes = 2 * self._log_max_bytes
        self._engine: Engine = create_engine(
            URL.create("sqlite", database=str(path)),
            poolclass=NullPool,
            # Errors of the driver are logged in full; they must not contain the stored values.
            hide_parameters=True,
            connect_args=_CONNECT,
        )

    def open_writer(self) -> Connection:
        # This needs the lock: when two processes switch a file to WAL at the same time, one can
        # get SQLITE_BUSY at once, without the busy timeout.
        return self._open(
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            f"PRAGMA wal_autocheckpoint={self._checkpoint_pages}",
            # Without it, a log that a long read let grow keeps its size for good. SQLite cuts the
            # file when it begins the log again, which needs no wait for readers.
            f"PRAGMA journal_size_limit={self._log_max_bytes}",
        )

    def open_reader(self) -> Connection:
        return self._open("PRAGMA query_only=ON")

    def lock(self) -> None:
        self._lock.acquire()

    def unlock(self) -> None:
        self._lock.release()

    def begin(self, connection: Connection) -> None:
        _driver(connection).execute("BEGIN IMMEDIATE")

    def limit_reads(self, connection: Connection, is_over: Callable[[], bool]) -> None:
        _driver(connection).set_progress_handler(is_over, _STEPS_BETWEEN_LOOKS)

    def begin_statements(self, connection: Connection) -> bool:
        return False

    def begin_snapshot(self, connection: Connection) -> None:
        _driver(connection).execute("BEGIN")

    def savepoint(self, connection: Connection) -> None:
        _driver(connection).execute("SAVEPOINT one_write")

    def rollback_to_savepoint(self, connection: Connection) -> None:
        _driver(connection).execute("ROLLBACK TO one_write")
        _driver(connection).execute("RELEASE one_write")

    def pipeline(self, connection: Connection) -> AbstractContextManager[object]:
        return nullcontext()

    def commit(self, connection: Connection) -> None:
        _driver(connection).execute("COMMIT")
        self._report_long_log()

    def rollback(self, connection: Connection) -> None:
        _driver(connection).execute("ROLLBACK")

    def is_open(self, connection: Connection) -> bool:
        return _driver(connection).in_transaction

    def is_aborted(self, connection: Connection) -> bool:
        return False

    def is_lock_timeout(self, error: BaseException) -> bool:
        return False

    def is_store_failure(self, error: BaseException) -> bool:
        cause = error.orig if isinstance(error, DBAPIError) else error
        # Absent if the driver itself refused, and from all other errors.
        code = getattr(cause, "sqlite_errorcode", None)
        return code is not None and code & _PRIMARY_CODE in _STORE_FAILURES

    def is_settings_fault(self, error: BaseException) -> bool:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, OSError):
            # The lock's file.
            return cause.errno in _NO_SUCH_FILE
        code = getattr(cause, "sqlite_errorcode", None)
        return code is not None and code & _PRIMARY_CODE in _NOT_A_DATABASE

    def cut_silent(self, now_s: float, limit_s: float) -> bool:
        return False

    def mark_owner(self, connection: Connection, owner: str) -> bool:
        self._owners.mark(owner)
        return True

    def has_ended(self, connection: Connection, owner: str) -> bool:
        return self._owners.has_ended(owner)

    def release_owners(self) -> None:
        self._owners.release()

    def is_stale(self, connection: Connection) -> bool:
        return False

    def close(self, connection: Connection) -> None:
        connection.invalidate()
        connection.close()

    def _report_long_log(self) -> None:
        """Log that the write-ahead log is long, which only an open read can make it."""
        try:
            size_bytes = self._log_file.stat().st_size
        except OSError:
            return
        if size_bytes >= self._report_bytes:
            self._report_bytes = 2 * size_bytes
            _LOG.warning(
                "store_log_grows",
                file=str(self._log_file),
                size_bytes=size_bytes,
                cause="a read of this or another process, such as a backup, stays open",
            )
        elif size_bytes <= self._log_max_bytes:
            self._report_bytes = 2 * self._log_max_bytes

    def _open(self, *pragmas: str) -> Connection:
        connection = self._engine.connect()
        connection.begin()
        for pragma in (
            f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}",
            "PRAGMA foreign_keys=ON",
            f"PRAGMA cache_size=-{_CACHE_KIB}",
            # Where a savepoint's undo data goes: beyond 64 KiB, SQLite would keep it in a temporary
            # file, created for each batch, on a disk that may be full when the database's isn't.
            "PRAGMA temp_store=MEMORY",
            *pragmas,
        ):
            _driver(connection).execute(pragma)
        return connection


class FileLock:
    """An exclusive lock on one file between processes, for one thread at a time.

    The kernel releases it when its holder dies. flock wakes the next waiter at once; SQLite's own
    busy timeout polls instead: next to another busy writer it made a writer wait for 1.6 to 2.4 s,
    where flock took 0.1 s.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Kept open between turns: opening and closing cost more than the lock.
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Wait without a time limit for the lock. Raises OSError."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            weakref.finalize(self, os.close, self._descriptor)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def release(self) -> None:
        """Release the lock; does nothing if it is not held."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)


class OwnerFiles:
    """Marks of living owners: each holds the lock on a file of its own, next to the database.

    The kernel releases the lock when the process ends, however it ends, and keeps it while the
    process is slow or stopped. So a lock that can be taken proves that its owner has ended.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._held: dict[str, int] = {}

    def mark(self, owner: str) -> None:
        """Hold the mark of `owner` until `release` or the end of the process. Raises OSError."""
        if owner in self._held:
            os.close(self._held.pop(owner))
        descriptor = os.open(self._path(owner), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._held[owner] = descriptor

    def has_ended(self, owner: str) -> bool:
        """Whether nobody holds the mark of `owner`; then its file is removed. Raises OSError."""
        try:
            descriptor = os.open(self._path(owner), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            self._path(owner).unlink(missing_ok=True)
            return True
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Release all marks, and remove their files."""
        for owner, descriptor in self._held.items():
            self._path(owner).unlink(missing_ok=True)
            os.close(descriptor)
        self._held.clear()

    def _path(self, owner: str) -> Path:
        # A number, because an owner's name may contain slashes.
        number = owner_number(owner) & 0xFFFF_FFFF_FFFF_FFFF
        return self._database.with_name(f"{self._database.name}.{number:016x}.owner")


def path_of(url: URL) -> Path:
    """The file of `sqlite:////path/file.db`. Raises DatabaseSettingsError if there can be none."""
    if not url.database or url.database == ":memory:":
        raise DatabaseSettingsError("a database in memory cannot be shared by its readers")
    path = Path(url.database)
    if not path.parent.is_dir():
        raise DatabaseSettingsError(f"{path.parent} is not a folder")
    return path


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.dbapi_connection)
