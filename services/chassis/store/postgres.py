"""The PostgreSQL dialect: one writer at a time, durable at COMMIT.

Every batch first takes the service's advisory lock and holds it until its transaction ends, so the
writers of all instances run one after another, as on SQLite. psycopg's own transaction handling is
off (autocommit): this module sends BEGIN, savepoints and COMMIT itself. The SQLAlchemy connection
stays in one SQLAlchemy transaction, which sends nothing to the database.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo, TransactionStatus
from psycopg.types.numeric import Int8Dumper
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from services.chassis.store.dialect import owner_number
from services.chassis.store.errors import DatabaseSettingsError
from services.chassis.store.watched_connection import ConnectionWatch, WatchedConnection

# An advisory lock is local to its database, and each service has its own database, so all services
# can use the same key.
WRITERS_LOCK = 0x7472_6164_6570_6F73

# A statement is prepared on its third execution; at most 500 are kept per connection.
_PREPARE_AFTER = 3
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
# The parameter of the URL that says what is between us and the server.
_POOLER = "pooler"
_POOLER_PARAMETER = re.compile(rf"(?P<before>[?&]|\s|^){_POOLER}=(?P<value>[^&\s]*)")
_POOLERS = ("auto", "session", "transaction")
# Parameters of libpq: they detect within seconds that the server has disappeared.
_CONNECT = {
    "connect_timeout": 2,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "fallback_application_name": "tradepost",
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
_UNKNOWN_PARAMETER = re.compile(r'invalid (?:URI query parameter|connection option):? ("\w+")')
_OPEN = frozenset({TransactionStatus.INTRANS, TransactionStatus.INERROR})


class PostgresDialect:
    """One database of a PostgreSQL server; see `Dialect`.

    `conninfo` is what libpq takes: a URL, with several hosts if need be, or `key=value` pairs. It
    may also have our own parameter `pooler`. Raises DatabaseSettingsError for what libpq doesn't
    take, and if it names no database.
    """

    def __init__(self, conninfo: str) -> None:
        conninfo, self._pooler = _without_pooler(conninfo)
        given = _parsed(conninfo)
        self._engine: Engine = create_engine(
            # SQLAlchemy's own URLs take less than libpq's, so libpq reads the text itself.
            "postgresql+psycopg://",
            poolclass=NullPool,
            connect_args=_CONNECT | given | {"autocommit": True},
            # The text of an error is logged; it must not contain the stored values.
            hide_parameters=True,
            use_native_hstore=False,
            # %s for each value: psycopg binds a list faster than named parameters.
            paramstyle="format",
        )
        event.listen(self._engine, "do_connect", _connect)
        self._watch = ConnectionWatch()
        self._owners: set[str] = set()
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
            _send(connection, _POOLED_BEGIN if _driver(connection).is_pooled else _BEGIN)
        except psycopg.Error:
            if self.is_open(connection):
                self.rollback(connection)
            raise

    def begin_statements(self, connection: Connection) -> bool:
        # A session of a pooler has no setting that refuses writes.
        if _driver(connection).is_pooled:
            _send(connection, _BEGIN_STATEMENTS)
            return True
        return False

    def begin_snapshot(self, connection: Connection) -> None:
        _send(connection, _BEGIN_SNAPSHOT)

    def savepoint(self, connection: Connection) -> None:
        # One round trip both releases the previous savepoint and sets the new one.
        release = b"RELEASE SAVEPOINT one_write; " if self._has_savepoint else b""
        _send(connection, release + b"SAVEPOINT one_write")
        self._has_savepoint = True

    def rollback_to_savepoint(self, connection: Connection) -> None:
        _send(connection, b"ROLLBACK TO SAVEPOINT one_write")

    def commit(self, connection: Connection) -> None:
        _send(connection, b"COMMIT")

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
        driver.is_pooled = self._pooler == "transaction" or (
            self._pooler == "auto" and _is_behind_pooler(driver)
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


def _marking(owner: str) -> bytes:
    """Hold the owner's lock until the session ends; shared, as the last one may not have ended."""
    return b"SELECT pg_catalog.pg_advisory_lock_shared(%d)" % owner_number(owner)


def _without_pooler(conninfo: str) -> tuple[str, str]:
    """The text for libpq, which doesn't know our parameter, and its value."""
    found = _POOLER_PARAMETER.search(conninfo)
    if found is None:
        return conninfo, _POOLERS[0]
    if found["value"] not in _POOLERS:
        raise DatabaseSettingsError(
            f"the parameter {_POOLER} of the URL must be one of {', '.join(_POOLERS)}"
        )
    before, after = conninfo[: found.start()], conninfo[found.end() :]
    is_first = found["before"] == "?"
    return before + (f"?{after[1:]}" if is_first and after else after), found["value"]


def _parsed(conninfo: str) -> dict[str, Any]:
    """The parameters of a URL or of pairs. Raises DatabaseSettingsError, without a secret."""
    try:
        given = conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError as error:
        unknown = _UNKNOWN_PARAMETER.search(str(error))
        cause = f"libpq has no parameter {unknown[1]}" if unknown else "the database URL is no URL"
        raise DatabaseSettingsError(cause) from None
    ports = str(given.get("port") or "").split(",")
    if not all(port.isdigit() or not port for port in ports):
        raise DatabaseSettingsError("the port of the database URL is no number")
    defaults = {each.keyword for each in Conninfo.get_defaults() if each.val}
    if not given.keys() & {"dbname", "service"} and not defaults & {b"dbname", b"service"}:
        raise DatabaseSettingsError("the URL of a PostgreSQL database must name the database")
    return given


def _send(connection: Connection, commands: bytes) -> None:
    _driver(connection).send(commands)


def _is_behind_pooler(driver: WatchedConnection) -> bool:
    """Whether the process that greeted us is not the one that answers, as with PgBouncer."""
    result = driver.send(b"SELECT pg_catalog.pg_backend_pid()")
    return int(result.get_value(0, 0) or 0) != driver.info.backend_pid


def _status(connection: Connection) -> TransactionStatus:
    if connection.invalidated:
        return TransactionStatus.UNKNOWN
    return _driver(connection).info.transaction_status


def _driver(connection: Connection) -> WatchedConnection:
    return cast(WatchedConnection, connection.connection.dbapi_connection)


def _connect(
    _: object, __: object, arguments: Sequence[Any], parameters: Mapping[str, Any]
) -> WatchedConnection:
    """Open the connection for SQLAlchemy. Raises psycopg.OperationalError."""
    return WatchedConnection.connect(*arguments, **parameters)
