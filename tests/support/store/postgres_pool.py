"""A pool of databases on a real PostgreSQL server, with tables or without: tests reuse them.

Creating and dropping a database takes longer than most tests; emptying it does not.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg

from scripts.suite.postgres import PostgresServer

# Connections that are still open belong to a test that has ended.
_DISCONNECT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_TABLES = (
    "SELECT relname, pg_relation_size(oid) FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)
_NEW_SCHEMA = (
    "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION pg_database_owner;"
    "GRANT USAGE ON SCHEMA public TO PUBLIC"
)
_RESTART_SEQUENCES = (
    "SELECT setval(oid, 1, false) FROM pg_class"
    " WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace"
)
_KEPT = frozenset({"alembic_version", "event_counter"})
# Rows are deleted from a smaller table, because a new file for it and each of its indexes takes 30
# times as long; a larger one is truncated, so that no test meets the dead rows of many others.
_TRUNCATED_FROM_BYTES = 128 * 1024

Migrate = Callable[[str, Path], Awaitable[None]]


class PostgresPool:
    """The databases of one server that no test uses at present."""

    def __init__(self, server: PostgresServer, migrate: Migrate) -> None:
        self._server = server
        self._migrate = migrate
        self._numbers = count(1)
        self._templates: dict[Path, _Template] = {}
        self._without_tables: list[str] = []
        self._free: defaultdict[Path, list[str]] = defaultdict(list)

    def url(self, database: str) -> str:
        """The URL of a database."""
        return self._server.url(database)

    def new(self) -> str:
        """Get a database without tables; returns its name."""
        if self._without_tables:
            return self._without_tables.pop()
        return self._copy_of("template1")

    async def migrated(self, versions: Path) -> str:
        """Get an empty database with the tables of the chassis and of `versions`."""
        if self._free[versions]:
            return self._free[versions].pop()
        if versions not in self._templates:
            name = self.new()
            await self._migrate(self.url(name), versions)
            self._templates[versions] = self._template(name)
        return self._copy_of(self._templates[versions].name)

    def clear(self, database: str) -> None:
        """Drop all tables of a database, for its reuse."""
        with psycopg.connect(self.url(database)) as connection:
            connection.execute(_DISCONNECT)
            connection.execute(_NEW_SCHEMA)
        self._without_tables.append(database)

    def take_back(self, database: str, versions: Path) -> None:
        """Empty a migrated database for its reuse, and drop the tables that the test has added.

        If the test has renamed or dropped tables, all of them are dropped.
        """
        template = self._templates[versions]
        with psycopg.connect(self.url(database)) as connection:
            connection.execute(_DISCONNECT)
            sizes: dict[str, int] = dict(connection.execute(_TABLES).fetchall())
            is_whole = template.tables <= sizes.keys()
            if is_whole:
                for added in sizes.keys() - template.tables:
                    connection.execute(f"DROP TABLE {added} CASCADE".encode())
                _empty(connection, {name: sizes[name] for name in template.tables - _KEPT})
                connection.execute(
                    "UPDATE event_counter SET position = 0, epoch = %s", template.epoch
                )
        if is_whole:
            self._free[versions].append(database)
        else:
            self.clear(database)

    def _copy_of(self, template: str) -> str:
        """Create a database; returns its name."""
        name = f"test_{next(self._numbers)}"
        self._server.create_database(name, template=template)
        return name

    def _template(self, name: str) -> "_Template":
        with psycopg.connect(self.url(name)) as connection:
            rows: list[tuple[str, int]] = connection.execute(_TABLES).fetchall()
            epoch = connection.execute("SELECT epoch FROM event_counter").fetchone()
        assert epoch is not None
        return _Template(name, frozenset(table for table, _ in rows), epoch)


@dataclass(frozen=True, slots=True)
class _Template:
    """A migrated database that others are copied from, with its tables and its epoch."""

    name: str
    tables: frozenset[str]
    epoch: tuple[str]


def _empty(connection: psycopg.Connection, sizes: Mapping[str, int]) -> None:
    """Remove all rows of these tables, whose sizes are in bytes."""
    large = [name for name, size in sizes.items() if size >= _TRUNCATED_FROM_BYTES]
    # Waits for a commit that was on its way when its connection was ended.
    connection.execute(f"LOCK TABLE {', '.join(sizes)}".encode())
    # Without foreign keys, the tables can be emptied in any order.
    connection.execute("SET LOCAL session_replication_role = replica")
    for name in sizes.keys() - large:
        connection.execute(f"DELETE FROM {name}".encode())
    if large:
        # The tables that refer to these are empty by now.
        connection.execute(f"TRUNCATE {', '.join(large)} CASCADE".encode())
    connection.execute(_RESTART_SEQUENCES)
