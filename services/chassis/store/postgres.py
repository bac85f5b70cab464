"""PostgreSQL as the store of one service: writers one at a time, durable at COMMIT.

Every batch begins with the service's advisory lock, held to the end of its transaction, so the
writers of all instances are as serial as on SQLite. psycopg's own transaction handling is off
(autocommit): BEGIN, savepoints and COMMIT are ours. The SQLAlchemy connection is left in one
transaction of its own, which sends nothing to the database.
"""

from typing import Any, cast

import psycopg
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.types.numeric import Int8Dumper
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from services.chassis.store.errors import DatabaseSettingsError

# Advisory locks are of one database, and a service has its own: one key serves them all.
WRITERS_LOCK = 0x7472_6164_6570_6F73

# Statements are prepared once they have been executed this often, and kept until so many are.
_PREPARE_AFTER = 3
_PREPARED_MAX = 500

# READ COMMITTED sees what the lock's previous holder committed, even while we waited for it.
_BEGIN = (
    b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
    b" SELECT pg_catalog.pg_advisory_xact_lock(%d)" % WRITERS_LOCK
)
_BEGIN_SNAPSHOT = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Of a reader's session, for statements outside a snapshot.
_READ_ONLY = b"SET default_transaction_read_only = on"
# What a session needs, unless the server, the role or the URL says otherwise. A holder of the lock
# that freezes in mid-batch is thrown out after a while, and others go on; nobody waits without end
# for a lock; and `off` would lose what was acknowledged.
_SESSION = b"""
    SELECT pg_catalog.set_config(name, wanted, false)
    FROM (VALUES
        ('idle_in_transaction_session_timeout', '0', '2s'),
        ('lock_timeout', '0', '2s'),
        ('synchronous_commit', 'off', 'on')
    ) AS setting (name, unwanted, wanted)
    WHERE pg_catalog.current_setting(name) = unwanted
"""
# Of libpq: a server that is gone without a word is noticed within seconds.
_CONNECT = {
    "connect_timeout": 2,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "fallback_application_name": "tradepost",
}

# Classes of SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html) that blame
# the store: connection, rolled back transaction, resources (a full disk), operator, system,
# internal.
_STORE_FAILURE_CLASSES = frozenset({"08", "40", "53", "57", "58", "XX"})
_STORE_FAILURES = frozenset(
    {
        psycopg.errors.LockNotAvailable.sqlstate,
        psycopg.errors.IdleInTransactionSessionTimeout.sqlstate,
        psycopg.errors.TransactionTimeout.sqlstate,
    }
)
_GOOD = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK})
_OPEN = frozenset({TransactionStatus.INTRANS, TransactionStatus.INERROR})


class PostgresDialect:
    """One database of a server; see `Dialect`."""

    def __init__(self, url: URL) -> None:
        if not url.database:
            raise DatabaseSettingsError("the URL of a PostgreSQL database names the database")
        connect: dict[str, Any] = {
            name: value for name, value in _CONNECT.items() if name not in url.query
        }
        self._engine: Engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            connect_args=connect | {"autocommit": True},
            use_native_hstore=False,
            # %s for each value: psycopg takes a list faster than names.
            paramstyle="format",
        )
        # Whether the writer's transaction has a savepoint; there is one writer to a dialect.
        self._marked = False

    def open_writer(self) -> Connection:
        return self._open()

    def open_reader(self) -> Connection:
        return self._open(_READ_ONLY)

    def lock(self) -> None:
        """Nothing: `begin` takes the lock, inside the transaction."""

    def unlock(self) -> None:
        """Nothing: the lock ends with the transaction."""

    def begin(self, connection: Connection) -> None:
        self._marked = False
        try:
            _send(connection, _BEGIN)
        except psycopg.Error:
            if self.is_open(connection):
                self.rollback(connection)
            raise

    def begin_snapshot(self, connection: Connection) -> None:
        _send(connection, _BEGIN_SNAPSHOT)

    def savepoint(self, connection: Connection) -> None:
        # One round trip for two marks: the last one goes where the next one comes.
        again = b"RELEASE SAVEPOINT one_write; " if self._marked else b""
        _send(connection, again + b"SAVEPOINT one_write")
        self._marked = True

    def rollback_to_savepoint(self, connection: Connection) -> None:
        _send(connection, b"ROLLBACK TO SAVEPOINT one_write")

    def commit(self, connection: Connection) -> None:
        _send(connection, b"COMMIT")

    def rollback(self, connection: Connection) -> None:
        _send(connection, b"ROLLBACK")

    def is_open(self, connection: Connection) -> bool:
        return _status(connection) in _OPEN

    def is_spoilt(self, connection: Connection) -> bool:
        return _status(connection) is TransactionStatus.INERROR

    def is_lock_timeout(self, error: BaseException) -> bool:
        return isinstance(error, psycopg.errors.LockNotAvailable)

    def is_store_failure(self, error: BaseException) -> bool:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if not isinstance(cause, psycopg.Error):
            return False
        if cause.sqlstate is None:
            # The connection is gone: no server was there to give the error a code.
            return isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
        return cause.sqlstate[:2] in _STORE_FAILURE_CLASSES or cause.sqlstate in _STORE_FAILURES

    def close(self, connection: Connection) -> None:
        connection.invalidate()
        connection.close()

    def _open(self, *more: bytes) -> Connection:
        connection = self._engine.connect()
        driver = _driver(connection)
        driver.prepare_threshold = _PREPARE_AFTER
        driver.prepared_max = _PREPARED_MAX
        # psycopg names the smallest type that an integer fits, and each is a statement of its own.
        driver.adapters.register_dumper(int, Int8Dumper)
        for commands in (_SESSION, *more):
            _send(connection, commands)
        connection.begin()
        return connection


def _send(connection: Connection, commands: bytes) -> None:
    """Send commands whose rows nobody needs, straight to libpq: half the cost of a cursor's way."""
    result = _driver(connection).pgconn.exec_(commands)
    if result.status not in _GOOD:
        raise psycopg.errors.error_from_result(result)


def _status(connection: Connection) -> TransactionStatus:
    if connection.invalidated:
        return TransactionStatus.UNKNOWN
    return _driver(connection).info.transaction_status


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", connection.connection.dbapi_connection)
