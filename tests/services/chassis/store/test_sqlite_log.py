"""SQLite's write-ahead log while a read stays open, and after it."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Connection
from structlog.testing import CapturingLogger

from services.chassis.store import sqlite
from services.chassis.store.sqlite import SqliteDialect

CHECKPOINT_PAGES = 50
LIMIT_BYTES = CHECKPOINT_PAGES * 4096
COMMITS = 100


@pytest.fixture
def dialect(tmp_path: Path) -> SqliteDialect:
    """A database file that is checkpointed often."""
    return SqliteDialect(tmp_path / "test.db", checkpoint_pages=CHECKPOINT_PAGES)


@pytest.fixture
def writer(dialect: SqliteDialect) -> Iterator[Connection]:
    """The writer's connection, with a table."""
    connection = dialect.open_writer()
    dialect.begin(connection)
    connection.exec_driver_sql("CREATE TABLE page (text BLOB)")
    dialect.commit(connection)
    yield connection
    dialect.close(connection)


@pytest.fixture
def logger(monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
    """The logger of the module, whatever configuration other tests leave."""
    capturing = CapturingLogger()
    monkeypatch.setattr(sqlite, "_LOG", capturing)
    return capturing


def fill(dialect: SqliteDialect, writer: Connection, commits: int) -> None:
    """Commit a few pages so many times."""
    for _ in range(commits):
        dialect.begin(writer)
        writer.exec_driver_sql("INSERT INTO page VALUES (zeroblob(20000))")
        dialect.commit(writer)


def test_the_log_shrinks_after_a_long_read(
    dialect: SqliteDialect, writer: Connection, tmp_path: Path, logger: CapturingLogger
) -> None:
    """An open read makes the log grow, which is logged; afterwards it gets its size back."""
    log = tmp_path / "test.db-wal"
    reader = dialect.open_reader()
    dialect.begin_snapshot(reader)
    reader.exec_driver_sql("SELECT count(*) FROM page").scalar_one()
    fill(dialect, writer, COMMITS)
    assert log.stat().st_size > 4 * LIMIT_BYTES
    lines = [line for line in logger.calls if line.args == ("store_log_grows",)]
    assert [line.kwargs["file"] for line in lines] == [str(log)] * len(lines)
    sizes = [line.kwargs["size_bytes"] for line in lines]
    assert len(sizes) > 1
    assert all(later >= 2 * earlier for earlier, later in pairwise(sizes))

    dialect.rollback(reader)
    fill(dialect, writer, 3)
    assert log.stat().st_size <= LIMIT_BYTES
    dialect.close(reader)


def test_a_log_of_usual_size_is_not_reported(
    dialect: SqliteDialect, writer: Connection, logger: CapturingLogger
) -> None:
    """Without an open read the log stays short, and nothing is logged."""
    fill(dialect, writer, COMMITS)
    assert logger.calls == []
