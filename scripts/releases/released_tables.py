"""The tables of a service as SQL for SQLite, and whether those of today serve the last release.

While a release is rolled out, and back, instances of both versions use the same database.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine

from scripts.releases.last_release import tables_file
from scripts.tools.paths import ROOT
from services.chassis.store.migrations import CHASSIS_VERSIONS
from services.chassis.store.schema.revision_files import RevisionFiles, read_revisions
from services.chassis.store.schema.upgrade import upgrade

_MIGRATIONS = "store/migrations"
_FIRST, _SECOND = 1, 2

Row = Mapping[str, object]


def services(root: Path = ROOT) -> Sequence[str]:
    """The services that have tables."""
    chassis = CHASSIS_VERSIONS.relative_to(ROOT)
    folders = (root / "services").glob(f"*/{_MIGRATIONS}")
    return sorted(path.parents[1].name for path in folders if path != root / chassis)


def tables_sql(service: str, root: Path = ROOT) -> str:
    """The statements that make the tables of a service as its revisions leave them."""
    with create_engine("sqlite://").connect() as connection:
        # Together, Alembic runs the two branches in any order.
        for folder in (CHASSIS_VERSIONS, root / "services" / service / _MIGRATIONS):
            upgrade(connection, folder)
        connection.commit()
        database = connection.connection.driver_connection
        assert isinstance(database, sqlite3.Connection)  # noqa: S101 - the URL says so
        return "\n".join(database.iterdump()) + "\n"


def unusable_for_release(service: str, root: Path = ROOT) -> Iterator[str]:
    """Why instances of the last release can't use the tables of today; nothing if they can."""
    folders = [CHASSIS_VERSIONS, root / "services" / service / _MIGRATIONS]
    revisions = read_revisions(folders)
    if revisions is None:
        yield f"{service}: a revision is written in a way that can't be read without Alembic"
        return
    with (
        closing(sqlite3.connect(":memory:")) as released,
        closing(sqlite3.connect(":memory:")) as today,
    ):
        released.executescript(tables_file(service, root).read_text())
        today.executescript(tables_sql(service, root))
        yield from _not_allowed(revisions, released)
        yield from dict.fromkeys(_not_taken(released, today))


def _not_allowed(revisions: RevisionFiles, released: sqlite3.Connection) -> Iterator[str]:
    """The newest revisions that don't say that the release can use the tables."""
    heads = {row[0] for row in released.execute("SELECT version_num FROM alembic_version")}
    known = {each for head in heads for each in revisions.history(head)}
    for newest in sorted(revisions.newest):
        oldest = revisions.compatible_from(newest)
        if oldest not in known:
            yield (
                f"{newest} needs instances that know {oldest}, and the last release ends with"
                f" {' and '.join(sorted(heads))}: `compatible_from` in the revision"
            )


def _not_taken(released: sqlite3.Connection, today: sqlite3.Connection) -> Iterator[str]:
    """The rows that the tables of the release take and those of today don't."""
    names = released.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in names:
        for row in _rows(released, table) if not table.startswith("sqlite_") else ():
            if not _error(released, table, row) and (error := _error(today, table, row)):
                yield f"{table} doesn't take the rows of the last release: {error}"


def _rows(database: sqlite3.Connection, table: str) -> Iterator[Row]:
    """Two rows with all columns of a table, which differ in the primary key only."""
    columns = database.execute(f"PRAGMA table_info({table})").fetchall()
    for number in (_FIRST, _SECOND):
        yield {
            name: _value(kind, number if in_key else _FIRST)
            for _, name, kind, _, _, in_key in columns
        }


def _value(kind: str, number: int) -> object:
    if "CHAR" in kind:
        return str(number)
    return bytes([number]) if kind == "BLOB" else number


def _error(database: sqlite3.Connection, table: str, row: Row) -> sqlite3.Error | None:
    columns, places = ", ".join(row), ", ".join("?" * len(row))
    try:
        database.execute(
            f"INSERT INTO {table} ({columns}) VALUES ({places})",  # noqa: S608 - names of columns
            tuple(row.values()),
        )
    except sqlite3.Error as error:
        return error
    return None
