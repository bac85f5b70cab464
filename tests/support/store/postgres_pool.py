"""Databases of a real server for tests: migrated once, then emptied and handed on.

Making and dropping one takes the server longer than most tests take; emptying it doesn't.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

import psycopg

from scripts.suite.postgres import PostgresServer

# Whoever still writes to it belongs to a test that is over.
_DISCONNECT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_TABLES = (
    "SELECT array_agg(tablename ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'"
)
_KEPT = frozenset({"alembic_version", "event_counter"})

Migrate = Callable[[str, Path], Awaitable[None]]


class PostgresPool:
    """The databases of one server that no test uses at the moment."""

    def __init__(self, server: PostgresServer, migrate: Migrate) -> None:
        self._server = server
        self._migrate = migrate
        self._numbers = count(1)
        self._templates: dict[Path, str] = {}
        self._free: defaultdict[Path, list[str]] = defaultdict(list)

    def url(self, database: str) -> str:
        """Where a database is."""
        return self._server.url(database)

    def new(self, *, template: str = "template1") -> str:
        """A database that nobody had before."""
        name = f"test_{next(self._numbers)}"
        self._server.create_database(name, template=template)
        return name

    async def migrated(self, versions: Path) -> str:
        """An empty database with the tables of the chassis and of `versions`."""
        if self._free[versions]:
            return self._free[versions].pop()
        if versions not in self._templates:
            template = self.new()
            await self._migrate(self.url(template), versions)
            self._templates[versions] = template
        return self.new(template=self._templates[versions])

    def drop(self, database: str) -> None:
        """Nobody shall have it again."""
        self._server.drop_database(database)

    def take_back(self, database: str, versions: Path) -> None:
        """Empty a migrated database for the next test, unless this one did more than write rows."""
        with psycopg.connect(self.url(self._templates[versions]), autocommit=True) as template:
            wanted = template.execute(_TABLES).fetchone()
            epoch = template.execute("SELECT epoch FROM event_counter").fetchone()
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(_DISCONNECT)
            found = connection.execute(_TABLES).fetchone()
            as_new = found is not None and found == wanted
            if found is not None and as_new:
                emptied = ", ".join(table for table in found[0] if table not in _KEPT)
                connection.execute(f"TRUNCATE {emptied} RESTART IDENTITY".encode())
                connection.execute("UPDATE event_counter SET position = 0, epoch = %s", epoch)
        if as_new:
            self._free[versions].append(database)
        else:
            self.drop(database)
