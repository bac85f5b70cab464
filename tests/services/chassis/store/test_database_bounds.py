"""What a database refuses, what reads see, and how a database opens and closes."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from discovery.clock import SystemClock
from scripts.suite.postgres import NOT_DURABLE
from services.chassis.store.database import (
    LOCK_WAIT_S,
    Database,
    DatabaseSettingsError,
    StoreOverloadedError,
    StoreUnavailableError,
)
from services.chassis.store.sqlite import SqliteDialect
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import (
    IDLE_TRANSACTION_TIMEOUT,
    POSTGRESQL,
    SQLITE,
    Databases,
    Gate,
    writing,
)
from tests.support.store.note_table import add_note, create_notes, notes


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    """A database whose clock stands still, so that a batch takes in every waiting write."""
    opened = await Database.open(
        databases.url("notes"), clock=ManualClock(), owner="test", queue_max=100
    )
    await opened.write(create_notes)
    yield opened
    await opened.close()


async def test_a_full_queue_refuses_at_once(databases: Databases) -> None:
    """Writes beyond the queue's limit are refused at once."""
    database = await Database.open(
        databases.url("notes"), clock=ManualClock(), owner="test", queue_max=2
    )
    await database.write(create_notes)
    gate = Gate()
    async with asyncio.TaskGroup() as group:
        group.create_task(database.write(gate))
        await gate.entered()
        group.create_task(database.write(add_note, "1"))
        group.create_task(database.write(add_note, "2"))
        await asyncio.sleep(0)
        with pytest.raises(StoreOverloadedError):
            await database.write(add_note, "3")
        gate.open()
    assert await database.read(notes) == ["1", "2"]
    await database.close()


async def test_too_many_reads_are_refused(databases: Databases) -> None:
    """Reads beyond the queue's limit are refused at once."""
    database = await Database.open(
        databases.url("notes"),
        clock=ManualClock(),
        owner="test",
        readers=1,
        queue_max=1,
    )
    await database.write(create_notes)
    gate = Gate()
    reading = asyncio.create_task(database.read(gate))
    await gate.entered()
    waiting = asyncio.create_task(database.read(notes))
    await asyncio.sleep(0)
    with pytest.raises(StoreOverloadedError):
        await database.read(notes)
    gate.open()
    await reading
    assert await waiting == []
    await database.close()
    with pytest.raises(StoreUnavailableError):
        await database.read(notes)


@pytest.mark.parametrize(("snapshot", "seen_last"), [(True, ["milk"]), (False, ["bread", "milk"])])
async def test_a_read_sees_one_instant(
    database: Database, *, snapshot: bool, seen_last: list[str]
) -> None:
    """A read does not see a later commit; without a snapshot, its next statement does."""
    await database.write(add_note, "milk")
    gate = Gate()

    def read_twice(connection: Connection) -> tuple[list[str], list[str]]:
        first = notes(connection)
        gate(connection)
        return first, notes(connection)

    reading = asyncio.create_task(database.read(read_twice, snapshot=snapshot))
    await gate.entered()
    await database.write(add_note, "bread")
    gate.open()

    assert await reading == (["milk"], seen_last)
    assert await database.read(notes) == ["bread", "milk"]


@pytest.mark.parametrize("snapshot", [True, False])
async def test_a_read_cannot_write(database: Database, *, snapshot: bool) -> None:
    """A read that writes raises an error, and the reader thread goes on."""
    with pytest.raises(DBAPIError, match=r"read-?only"):
        await database.read(add_note, "smuggled", snapshot=snapshot)
    assert await database.read(notes) == []


async def test_a_failing_read_raises_its_own_error(database: Database) -> None:
    """An exception of a read function reaches the caller unchanged."""
    failure = LookupError("nothing there")

    def look(_: Connection) -> None:
        raise failure

    with pytest.raises(LookupError) as raised:
        await database.read(look)
    assert raised.value is failure


async def test_a_wrong_statement_is_no_failure_of_the_store(database: Database) -> None:
    """A wrong statement raises the driver's error, because a retry would not help."""

    def misspell(connection: Connection) -> None:
        connection.exec_driver_sql("SELEKT 1")

    with pytest.raises(DBAPIError, match="syntax error"):
        await database.write(misspell)
    with pytest.raises(DBAPIError, match="syntax error"):
        await database.read(misspell)


async def test_a_write_outlives_a_pause_of_its_process(databases: Databases) -> None:
    """After a pause longer than the wait for the lock, a write still takes a free lock."""
    clock = ManualClock()
    database = await Database.open(databases.url("notes"), clock=clock, owner="test")
    await database.write(create_notes)
    with writing(databases.url("notes")):
        written = asyncio.create_task(database.write(add_note, "late"))
        await asyncio.to_thread(until_it_waits, database)
        await clock.advance(LOCK_WAIT_S)

    assert await written == "late"
    await database.close()


def until_it_waits(database: Database) -> None:
    """Return once the writer's thread waits for the lock."""
    while database.writer._lock_wait is None:
        pass


async def test_closing_writes_what_is_queued_and_takes_no_more(databases: Databases) -> None:
    """Closing finishes queued writes; a later write raises StoreUnavailableError."""
    database = await Database.open(databases.url("notes"), clock=SystemClock(), owner="test")
    await database.write(create_notes)
    queued = [asyncio.create_task(database.write(add_note, str(number))) for number in range(9)]
    await asyncio.sleep(0)
    await database.close()

    assert await asyncio.gather(*queued) == [str(number) for number in range(9)]
    with pytest.raises(StoreUnavailableError):
        await database.write(add_note, "late")
    await database.close()


async def test_closing_ends_after_the_connections_are_closed(tmp_path: Path) -> None:
    """A process may exit once its database is closed: no thread uses a connection any more."""
    dialect = SlowToClose(tmp_path / "notes.db")
    database = Database(
        dialect, clock=SystemClock(), owner="test", readers=1, queue_max=9, lock_wait_s=60.0
    )
    await database.write(create_notes)
    await database.read(notes)
    closing = asyncio.create_task(database.close())
    for _ in range(2):
        await asyncio.to_thread(dialect.closes.acquire)
        await asyncio.wait({closing}, timeout=0.05)
        assert not closing.done()
        dialect.may_close.release()
    await closing


class SlowToClose(SqliteDialect):
    """Closes a connection when the test allows it."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.closes = threading.Semaphore(0)
        self.may_close = threading.Semaphore(0)

    def close(self, connection: Connection) -> None:
        self.closes.release()
        self.may_close.acquire()
        super().close(connection)


@pytest.mark.parametrize("databases", [SQLITE], indirect=True)
async def test_a_write_is_on_the_disk_before_it_is_answered(database: Database) -> None:
    """SQLite uses a write-ahead log, synchronizes it at every COMMIT and checks foreign keys."""

    def settings(connection: Connection) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names}

    full = 2
    assert await database.write(settings) == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": 1,
    }


@pytest.mark.parametrize("databases", [SQLITE], indirect=True)
async def test_what_a_savepoint_may_undo_needs_no_other_disk(database: Database) -> None:
    """A savepoint with many changes needs no temporary file, whose disk could be full."""

    def change_much(connection: Connection) -> list[str]:
        pages = 100
        connection.exec_driver_sql("CREATE TABLE pages (number INTEGER PRIMARY KEY, body BLOB)")
        connection.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO pages SELECT i, zeroblob(3000) FROM n",
            (pages,),
        )
        connection.exec_driver_sql("SAVEPOINT undoable")
        connection.exec_driver_sql("UPDATE pages SET body = zeroblob(3001)")
        opened = [str(each.resolve()) for each in Path("/proc/self/fd").iterdir()]
        connection.exec_driver_sql("RELEASE undoable")
        return [path for path in opened if "etilqs" in path]

    assert await database.write(change_much) == []


@pytest.mark.parametrize("databases", [POSTGRESQL], indirect=True)
async def test_a_session_asks_for_what_it_needs(database: Database) -> None:
    """A session sets safe defaults, and keeps the values that the operator configured."""

    def settings(connection: Connection) -> dict[str, object]:
        names = ("synchronous_commit", "lock_timeout", "idle_in_transaction_session_timeout")
        return {name: connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names}

    assert NOT_DURABLE["synchronous_commit"] == "off"
    assert await database.write(settings) == {
        "synchronous_commit": "on",
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": IDLE_TRANSACTION_TIMEOUT,
    }


@pytest.mark.parametrize(
    "url",
    [
        "",
        "no url",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:////no/such/folder/file.db",
        "postgresql://localhost",
        "postgresql://localhost:port/order",
        "mysql://localhost/order",
    ],
)
async def test_a_database_that_cannot_be_used_is_refused_at_start(url: str) -> None:
    """An unusable database URL raises DatabaseSettingsError when the database is opened."""
    with pytest.raises(DatabaseSettingsError):
        await Database.open(url, clock=ManualClock(), owner="test")
