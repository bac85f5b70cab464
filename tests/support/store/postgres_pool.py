"""A pool of migrated databases on a real PostgreSQL server: tests empty and reuse them.

Creating and dropping a database takes longer than most tests; emptying it does not.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable
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
    "SELECT array_agg(tablename ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'"
)
_KEPT = frozenset({"alembic_version", "event_counter"})

Migrate = Callable[[str, Path], Awaitable[None]]


class PostgresPool:
    """The databases of one server that no test uses at present."""

    def __init__(self, server: PostgresServer, migrate: Migrate) -> None:
        self._server = server
        self._migrate = migrate
        self._numbers = count(1)
        self._templates: dict[Path, str] = {}
        self._free: defaultdict[Path, list[str]] = defaultdict(list)

    def url(self, database: str) -> str:
        """The URL of a database."""
        return self._server.url(database)

    def new(self, *, template: str = "template1") -> str:
        """Create a database; returns its name."""
        name = f"test_{next(self._numbers)}"
        self._server.create_database(name, template=template)
        return name

    async def migrated(self, versions: Path) -> str:
        """Get an empty database with the tables of the chassis and of `versions`."""
        if self._free[versions]:
            return self._free[versions].pop()
        if versions not in self._templates:
            template = self.new()
            await self._migrate(self.url(template), versions)
            self._templates[versions] = template
        return self.new(template=self._templates[versions])

    def drop(self, database: str) -> None:
        """Drop a database instead of reusing it."""
        self._server.drop_database(database)

    def take_back(self, database: str, versions: Path) -> None:
        """Empty a migrated database for reuse; drop it if the test changed its tables."""
        with psycopg.connect(self.url(self._templates[versions]), autocommit=True) as template:
            expected = template.execute(_TABLES).fetchone()
            epoch = template.execute("SELECT epoch FROM event_counter").fetchone()
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(_DISCONNECT)
            found = connection.execute(_TABLES).fetchone()
            reusable = found is not None and found == expected
            if found is not None and reusable:
                emptied = ", ".join(table for table in found[0] if table not in _KEPT)
                connection.execute(f"TRUNCATE {emptied} RESTART IDENTITY".encode())
                connection.execute("UPDATE event_counter SET position = 0, epoch = %s", epoch)
        if reusable:
            self._free[versions].append(database)
        else:
            self.drop(database)
