"""The PostgreSQL dialect: one writer at a time, durable at COMMIT.

Every batch first takes the service's advisory lock and holds it until its transaction ends, so the
writers of all instances run one after another, as on SQLite. psycopg's own transaction handling is
off (autocommit): this module sends BEGIN, savepoints and COMMIT itself. The SQLAlchemy connection
stays in one SQLAlchemy transaction, which sends nothing to the database.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.types.numeric import Int8Dumper
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from services.chassis.store.dialect import owner_number
from services.chassis.store.errors import StaleServerError
from services.chassis.store.watched_connection import ConnectionWatch, WatchedConnection

# An advisory lock is local to its database, and each service has its own database, so all services
# can use the same key.
WRITERS_LOCK = 0x7472_6164_6570_6F73

_PREPARE_AFTER = 3  # executions
_PREPARED_MAX = 500

# READ COMMITTED sees what the previous holder of the lock committed while we waited for it.
_BEGIN = (
    b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
    b" SELECT pg_catalog.pg_advisory_xact_lock(%d)" % WRITERS_LOCK
)
_BEGIN_STATEMENTS = b"BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"
_BEGIN_SNAPSHOT = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Set in each reader's session, for statements outside a snapshot.
_READ_ONLY = b"SET default_transaction_read_only = on"
# Which process answers, and the server's timeline: each promotion of a standby begins a higher one.
# A standby has none here.
_SERVER = b"""
    SELECT pg_catalog.pg_backend_pid(), CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN
        pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8)
    END
"""
# Defaults for a session that the server, the role or the URL may override. They disconnect a lock
# holder that freezes in mid-batch, limit the wait for a lock, and replace synchronous_commit `off`,
# which would lose acknowledged writes.
_SETTINGS = b"""
    SELECT pg_catalog.set_config(name, wanted, %b)
    FROM (VALUES
        ('idle_in_transaction_session_timeout', '0', '2s'),
        ('lock_timeout', '0', '2s'),
        ('synchronous_commit', 'off', 'on')
    ) AS setting (name, unwanted, wanted)
    WHERE pg_catalog.current_setting(name) = unwanted
"""
_SESSION = _SETTINGS % b"false"
# Where a pooler shares sessions, their settings would be those of other clients, too.
_POOLED_BEGIN = (
    b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; %b;"
    b" SELECT pg_catalog.pg_advisory_xact_lock(%d)" % (_SETTINGS % b"true", WRITERS_LOCK)
)
# Parameters of libpq, unless the URL has others. They detect within seconds that the server has
# disappeared.
_CONNECT = {
    "connect_timeout": 2,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "fallback_application_name": "tradepost",
    # Of several hosts, only the primary is connected to.
    "target_session_attrs": "primary",
}

# Classes of SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html) for failures
# of the store: connection, transaction rollback, resources (a full disk), operator intervention,
# system error, internal error.
_STORE_FAILURE_CLASSES = frozenset({"08", "40", "53", "57", "58", "XX"})
_STORE_FAILURES = frozenset(
    {
        psycopg.errors.LockNotAvailable.sqlstate,
        psycopg.errors.IdleInTransactionSessionTimeout.sqlstate,
        psycopg.errors.TransactionTimeout.sqlstate,
    }
)
# Why a connection failed is only a text, without an SQLSTATE. A server whose messages are in
# another language is waited for.
_WRONG_SETTINGS = re.compile(
    r"password authentication failed|no password supplied|SCRAM|pg_hba\.conf"
    r'|(role|user|database) ".*" does not exist|not permitted to log in|permission denied'
    r"|authentication failed|does not support SSL|certificate"
    r"|invalid (sslmode|port|channel_binding|connection|target_session_attrs|integer|URI)"
)
_OPEN = frozenset({TransactionStatus.INTRANS, TransactionStatus.INERROR})


class PostgresDialect:
    """One database of a PostgreSQL server; see `Dialect`.

    `given` are parameters of libpq. `pooler` says what is between us and the server: "session" or
    "transaction" for a pooler in that mode, "auto" to find out.
    """

    def __init__(self, given: Mapping[str, Any], *, pooler: str = "auto") -> None:
        self._pooler = pooler
        self._engine: Engine = create_engine(
            # SQLAlchemy's own URLs take less than libpq's, so libpq reads the text itself.
            "postgresql+psycopg://",
            poolclass=NullPool,
            connect_args={**_CONNECT, **given, "autocommit": True},
            # The text of an error is logged; it must not contain the stored values.
            hide_parameters=True,
            use_native_hstore=False,
            # %s for each value: psycopg binds a list faster than named parameters.
            paramstyle="format",
        )
        self._watch = ConnectionWatch()
        self._owners: set[str] = set()
        event.listen(self._engine, "do_connect", self._connect)
        # Whether the writer's transaction has a savepoint. A dialect has one writer.
        self._has_savepoint = False

    def open_writer(self) -> Connection:
        return self._open(*map(_marking, self._owners))

    def open_reader(self) -> Connection:
        return self._open(_READ_ONLY)

    def lock(self) -> None:
        """Do nothing: `begin` takes the lock inside the transaction."""

    def unlock(self) -> None:
        """Do nothing: the lock ends with the transaction."""

    def begin(self, connection: Connection) -> None:
        self._has_savepoint = False
        try:
            self._send_begin(connection, _BEGIN, _POOLED_BEGIN)
        except (psycopg.Error, StaleServerError):
            if self.is_open(connection):
                self.rollback(connection)
            raise

    def limit_reads(
        self, connection: Connection, is_over: Callable[[], bool]
    ) -> Callable[[], None]:
        # SQLAlchemy's connection is for its own thread alone, and forgets the driver's if it fails.
        # What takes too long is ended by `cut_silent`.
        return _driver(connection).cancel_soon

    def begin_statements(self, connection: Connection) -> bool:
        # A session of a pooler has no setting that refuses writes.
        if _driver(connection).is_pooled:
            self._send_begin(connection, _BEGIN_STATEMENTS, _BEGIN_STATEMENTS)
            return True
        return False

    def begin_snapshot(self, connection: Connection) -> None:
        self._send_begin(connection, _BEGIN_SNAPSHOT, _BEGIN_SNAPSHOT)

    def savepoint(self, connection: Connection) -> None:
        # One round trip both releases the previous savepoint and sets the new one.
        release = b"RELEASE SAVEPOINT one_write; " if self._has_savepoint else b""
        _send(connection, release + b"SAVEPOINT one_write")
        self._has_savepoint = True

    def rollback_to_savepoint(self, connection: Connection) -> None:
        _send(connection, b"ROLLBACK TO SAVEPOINT one_write")

    def pipeline(self, connection: Connection) -> AbstractContextManager[object]:
        return _driver(connection).sending_together()

    def commit(self, connection: Connection) -> None:
        _driver(connection).execute(b"COMMIT", prepare=False)

    def rollback(self, connection: Connection) -> None:
        _send(connection, b"ROLLBACK")

    def is_open(self, connection: Connection) -> bool:
        return _status(connection) in _OPEN

    def is_aborted(self, connection: Connection) -> bool:
        return _status(connection) is TransactionStatus.INERROR

    def is_lock_timeout(self, error: BaseException) -> bool:
        return isinstance(error, psycopg.errors.LockNotAvailable)

    def is_store_failure(self, error: BaseException) -> bool:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if not isinstance(cause, psycopg.Error):
            return False
        if cause.sqlstate is None:
            # The connection is lost, so no server gave the error a code.
            return isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
        return cause.sqlstate[:2] in _STORE_FAILURE_CLASSES or cause.sqlstate in _STORE_FAILURES

    def is_settings_fault(self, error: BaseException) -> bool:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, psycopg.ProgrammingError):
            return True
        return isinstance(cause, psycopg.Error) and _WRONG_SETTINGS.search(str(cause)) is not None

    def cut_silent(self, now_s: float, limit_s: float) -> bool:
        return self._watch.cut_silent(now_s, limit_s)

    def mark_owner(self, connection: Connection, owner: str) -> bool:
        # A pooler's session belongs to other clients, too, and outlives this process.
        if _driver(connection).is_pooled:
            return False
        if owner not in self._owners:
            _send(connection, _marking(owner))
            self._owners.add(owner)
        return True

    def has_ended(self, connection: Connection, owner: str) -> bool:
        lock = f"SELECT pg_catalog.pg_try_advisory_xact_lock({owner_number(owner)})"
        return bool(connection.exec_driver_sql(lock).scalar_one())

    def release_owners(self) -> None:
        """Do nothing: marks end with the writer's session."""

    def is_stale(self, connection: Connection) -> bool:
        return connection.invalidated or _driver(connection).is_stale

    def close(self, connection: Connection) -> None:
        connection.invalidate()
        connection.close()

    def _open(self, *setup: bytes) -> Connection:
        connection = self._engine.connect()
        driver = _driver(connection)
        self._watch.add(driver)
        try:
            answers, timeline = _server(_send(connection, _SERVER))
            self._watch.reach(driver, timeline)
        except BaseException:
            self.close(connection)
            raise
        # With PgBouncer, the process that greeted us is not the one that answers.
        driver.is_pooled = self._pooler == "transaction" or (
            self._pooler == "auto" and answers != driver.info.backend_pid
        )
        # A prepared statement belongs to a session, which the next transaction may not have.
        driver.prepare_threshold = None if driver.is_pooled else _PREPARE_AFTER
        driver.prepared_max = _PREPARED_MAX
        # psycopg binds an integer as the smallest type that fits it, and each type would make a
        # separate prepared statement.
        driver.adapters.register_dumper(int, Int8Dumper)
        for commands in () if driver.is_pooled else (_SESSION, *setup):
            _send(connection, commands)
        connection.begin()
        return connection

    def _connect(
        self, _: object, __: object, arguments: Sequence[Any], parameters: Mapping[str, Any]
    ) -> WatchedConnection:
        """Open the connection for SQLAlchemy. Raises psycopg.OperationalError."""
        return self._watch.connect(*arguments, **parameters)

    def _send_begin(self, connection: Connection, direct: bytes, pooled: bytes) -> None:
        """Begin a transaction; behind a pooler, its server may be another one than before."""
        driver = _driver(connection)
        if not driver.is_pooled:
            _send(connection, direct)
            return
        _, timeline = _server(_send(connection, b"%b; %b" % (pooled, _SERVER)))
        if timeline != driver.timeline:
            raise StaleServerError("the pooler leads to another server than before")


def _marking(owner: str) -> bytes:
    """Hold the owner's lock until the session ends; shared, as the last one may not have ended."""
    return b"SELECT pg_catalog.pg_advisory_lock_shared(%d)" % owner_number(owner)


def _send(connection: Connection, commands: bytes) -> PGresult:
    return _driver(connection).send(commands)


def _server(answer: PGresult) -> tuple[int, int]:
    """The process and the timeline of `_SERVER`. Raises StaleServerError for a standby."""
    timeline = answer.get_value(0, 1)
    if timeline is None:
        raise StaleServerError("the database server is a standby, which may answer from before")
    return int(answer.get_value(0, 0) or 0), int(timeline, 16)


def _status(connection: Connection) -> TransactionStatus:
    if connection.invalidated:
        return TransactionStatus.UNKNOWN
    return _driver(connection).info.transaction_status


def _driver(connection: Connection) -> WatchedConnection:
    return cast(WatchedConnection, connection.connection.dbapi_connection)
