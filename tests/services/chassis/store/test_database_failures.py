"""If SQLite fails, every caller of the batch gets an error, and later writes work."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, OperationalError

from services.chassis.store.database import Database, StoreUnavailableError
from services.chassis.store.sqlite import SqliteDialect
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import Gate
from tests.support.store.note_table import add_note, create_notes

PAGE_BYTES = 4096


def create_blobs(connection: Connection) -> None:
    """Create the table of blobs."""
    connection.exec_driver_sql("CREATE TABLE blob (content BLOB)")


def add_blob(connection: Connection, size_bytes: int) -> int:
    """Write a blob of `size_bytes`."""
    connection.exec_driver_sql("INSERT INTO blob VALUES (zeroblob(?))", (size_bytes,))
    return size_bytes


def count_blobs(connection: Connection) -> int:
    """The number of blobs."""
    return int(connection.exec_driver_sql("SELECT count(*) FROM blob").scalar_one())


def leave_pages(connection: Connection, number: int) -> None:
    """Make the disk full after this connection has used `number` more pages."""
    used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    connection.exec_driver_sql(f"PRAGMA max_page_count={used + number}")


def end_transaction(connection: Connection) -> None:
    """End the transaction without the writer's knowledge, as some failures of SQLite do."""
    connection.exec_driver_sql("ROLLBACK")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A database whose clock stands still, so that a batch takes in every waiting write."""
    opened = await Database.open(
        f"sqlite:///{tmp_path}/blobs.db", clock=ManualClock(), owner="test"
    )
    await opened.write(create_blobs)
    yield opened
    await opened.close()


async def test_a_full_disk_fails_every_caller_of_the_batch(database: Database) -> None:
    """A full disk may end the whole transaction, so no caller of the batch gets a success.

    A refusal is replaced by the error too, because what it read was never committed.
    """
    await database.write(leave_pages, 8)
    gate, done = Gate(), list[int]()

    def refuse(_: Connection) -> int:
        raise LookupError

    calls = [
        asyncio.create_task(database.write(gate)),
        asyncio.create_task(database.write(add_blob, 10, then=done.append)),
        asyncio.create_task(database.write(refuse)),
        asyncio.create_task(database.write(add_blob, 100 * PAGE_BYTES)),
    ]
    await gate.entered()
    gate.open()

    for call in calls:
        with pytest.raises(StoreUnavailableError):
            await call
    assert done == []
    assert await database.read(count_blobs) == 0


async def test_the_writer_goes_on_after_a_full_disk(database: Database) -> None:
    """When the disk has space again, the writer works on a new connection."""
    await database.write(leave_pages, 8)
    with pytest.raises(StoreUnavailableError) as raised:
        await database.write(add_blob, 100 * PAGE_BYTES)
    assert "full" in str(raised.value.__cause__)

    assert await database.write(add_blob, 100 * PAGE_BYTES) == 100 * PAGE_BYTES
    assert await database.read(count_blobs) == 1


async def test_a_transaction_that_ended_unseen_fails_every_caller(database: Database) -> None:
    """A batch fails if a function caught the error that ended its transaction."""
    gate = Gate()
    calls = [
        asyncio.create_task(database.write(gate)),
        asyncio.create_task(database.write(add_blob, 1)),
        asyncio.create_task(database.write(end_transaction)),
        asyncio.create_task(database.write(add_blob, 2)),
    ]
    await gate.entered()
    gate.open()

    for call in calls[:3]:
        with pytest.raises(StoreUnavailableError):
            await call
    assert await calls[3] == 2
    assert await database.read(count_blobs) == 1


async def test_a_failing_commit_fails_every_caller(database: Database) -> None:
    """If COMMIT fails, every caller fails, and the next transaction works."""

    def break_reference(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql(
            "CREATE TABLE child (parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"
        )
        connection.exec_driver_sql("INSERT INTO child VALUES (7)")

    with pytest.raises(StoreUnavailableError):
        await database.write(break_reference)
    assert await database.write(add_blob, 1) == 1


async def test_a_foreign_lock_makes_writes_unavailable(database: Database, tmp_path: Path) -> None:
    """A write waits for a program that locks the file without our lock, then is unavailable."""
    await database.write(lambda c: c.exec_driver_sql("PRAGMA busy_timeout=1").close())
    with sqlite3.connect(tmp_path / "blobs.db", isolation_level=None) as shell:
        shell.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError):
            await database.write(add_blob, 1)
        shell.execute("ROLLBACK")
    shell.close()
    assert await database.write(add_blob, 1) == 1


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    """With a damaged file, writes and reads raise StoreUnavailableError and threads survive."""
    (tmp_path / "damaged.db").write_bytes(b"this is no database" * 100)
    database = await Database.open(
        f"sqlite:///{tmp_path}/damaged.db", clock=ManualClock(), owner="test"
    )
    for _ in range(2):
        with pytest.raises(StoreUnavailableError):
            await database.write(create_blobs)
        with pytest.raises(StoreUnavailableError):
            await database.read(count_blobs)
    await database.close()


def test_the_dialect_blames_the_store_for_what_the_store_did(tmp_path: Path) -> None:
    """Full disk, I/O error and lock are store failures; constraints and bugs are not."""
    dialect = SqliteDialect(tmp_path / "any.db")
    blamed = sqlite3.OperationalError()
    blamed.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    innocent = sqlite3.IntegrityError()
    innocent.sqlite_errorcode = sqlite3.SQLITE_CONSTRAINT_UNIQUE

    assert dialect.is_store_failure(blamed)
    assert dialect.is_store_failure(OperationalError("COMMIT", None, blamed))
    assert not dialect.is_store_failure(innocent)
    assert not dialect.is_store_failure(TimeoutError())


async def test_an_error_of_the_store_names_no_values(tmp_path: Path) -> None:
    """An error of the store contains no stored values, because it is logged in full."""
    database = await Database.open(f"sqlite:///{tmp_path}/n.db", clock=ManualClock(), owner="test")
    await database.write(create_notes)
    await database.write(add_note, "canary")
    with pytest.raises(IntegrityError) as raised:
        await database.write(add_note, "canary")
    await database.close()

    assert "note.text" in str(raised.value)
    assert "canary" not in str(raised.value)
