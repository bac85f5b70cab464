"""Many callers, one transaction, one COMMIT; each caller's failure is its own."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextvars import ContextVar
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, OperationalError

from discovery.clock import SystemClock
from services.chassis.database import (
    Database,
    DatabaseSettingsError,
    StoreOverloadedError,
    StoreUnavailableError,
)
from tests.databases import Gate
from tests.manual_clock import ManualClock

WAIT_S = 10.0


def create_notes(connection: Connection) -> None:
    """Make the table of the notes."""
    connection.exec_driver_sql("CREATE TABLE note (text TEXT PRIMARY KEY) WITHOUT ROWID")


def add_note(connection: Connection, text: str) -> str:
    """Write one note; a note can be written once."""
    connection.exec_driver_sql("INSERT INTO note VALUES (?)", (text,))
    return text


def add_note_then_fail(connection: Connection, text: str, error: BaseException) -> None:
    """Write a note, then raise `error`."""
    add_note(connection, text)
    raise error


def notes(connection: Connection) -> list[str]:
    """All notes, sorted."""
    return [row[0] for row in connection.exec_driver_sql("SELECT text FROM note ORDER BY text")]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A clock that stands still never ends a batch, so whoever waits joins the running one."""
    opened = await Database.open(
        f"sqlite:///{tmp_path}/notes.db", clock=ManualClock(), owner="test", queue_max=100
    )
    await opened.write(create_notes)
    yield opened
    await opened.close()


async def test_what_is_written_is_read(database: Database) -> None:
    """A write answers its function's result after it is committed, and reads see it."""
    assert await database.write(add_note, "milk") == "milk"
    assert await database.read(notes) == ["milk"]


async def test_waiting_writes_share_one_commit(database: Database) -> None:
    """Whoever waits while a write runs is committed together with it."""
    commits: list[None] = []
    database.on_commit(lambda: commits.append(None))
    gate = Gate()
    async with asyncio.TaskGroup() as group:
        group.create_task(database.write(gate))
        await gate.entered()
        for number in range(20):
            group.create_task(database.write(add_note, f"{number:02}"))
        await asyncio.sleep(0)
        gate.open()

    assert len(commits) == 1
    assert len(await database.read(notes)) == 20


async def test_a_batch_ends_at_64_functions(database: Database) -> None:
    """The 65th caller waits for the next transaction: nobody waits for ever on the others."""
    commits: list[None] = []
    database.on_commit(lambda: commits.append(None))
    gate = Gate()
    async with asyncio.TaskGroup() as group:
        group.create_task(database.write(gate))
        await gate.entered()
        for number in range(64):
            group.create_task(database.write(add_note, f"{number:02}"))
        await asyncio.sleep(0)
        gate.open()

    assert len(commits) == 2


async def test_one_failing_write_undoes_its_own_work_alone(database: Database) -> None:
    """In a batch each caller gets its own answer, and only the failed one's work is undone."""
    gate, failure = Gate(), ValueError("no")
    first = asyncio.create_task(database.write(gate))
    await gate.entered()
    before = asyncio.create_task(database.write(add_note, "before"))
    failing = asyncio.create_task(database.write(add_note_then_fail, "failing", failure))
    broken = asyncio.create_task(database.write(add_note, "before"))
    after = asyncio.create_task(database.write(add_note, "after"))
    await asyncio.sleep(0)
    gate.open()
    await first

    assert await before == "before"
    with pytest.raises(ValueError, match="no") as raised:
        await failing
    assert raised.value is failure
    with pytest.raises(IntegrityError):
        await broken
    assert await after == "after"
    assert await database.read(notes) == ["after", "before"]


async def test_a_write_that_fails_first_leaves_nothing(database: Database) -> None:
    """The first function of a transaction has no savepoint, and is undone all the same."""
    failing = asyncio.create_task(database.write(add_note_then_fail, "failing", ValueError("no")))
    after = asyncio.create_task(database.write(add_note, "after"))

    with pytest.raises(ValueError, match="no"):
        await failing
    await after
    assert await database.read(notes) == ["after"]


async def test_the_writer_outlives_even_a_system_exit(database: Database) -> None:
    """Whatever a function raises belongs to its caller; the thread goes on."""
    job = asyncio.ensure_future(database.write(add_note_then_fail, "exit", GeneratorExit()))
    with pytest.raises(GeneratorExit):
        await job
    assert await database.write(add_note, "milk") == "milk"
    assert await database.read(notes) == ["milk"]


async def test_a_function_that_ends_an_iteration_fails_as_an_error(database: Database) -> None:
    """A future can't carry StopIteration; it arrives as the RuntimeError of PEP 479."""
    with pytest.raises(RuntimeError):
        await database.write(add_note_then_fail, "stop", StopIteration())
    assert await database.write(add_note, "milk") == "milk"


async def test_a_write_cancelled_before_its_turn_is_skipped(database: Database) -> None:
    """Nobody waits for it and nothing has been done: it isn't done any more."""
    gate = Gate()
    first = asyncio.create_task(database.write(gate))
    await gate.entered()
    done: list[str] = []
    cancelled = asyncio.create_task(database.write(add_note, "cancelled", then=done.append))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.sleep(0)
    gate.open()
    await first

    await database.write(add_note, "later")
    assert await database.read(notes) == ["later"]
    assert done == []


async def test_a_write_cancelled_after_its_turn_commits(database: Database) -> None:
    """Once it runs it is committed, and what must be done then is done."""
    gate, done = Gate(), asyncio.Event()

    def write(connection: Connection) -> str:
        gate(connection)
        return add_note(connection, "committed")

    cancelled = asyncio.create_task(database.write(write, then=lambda _: done.set()))
    await gate.entered()
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    gate.open()

    async with asyncio.timeout(WAIT_S):
        await done.wait()
    assert await database.read(notes) == ["committed"]


async def test_then_follows_the_commit_and_precedes_the_caller(
    database: Database, tmp_path: Path
) -> None:
    """`then` sees its write committed, and the awaiting caller resumes after it."""
    order: list[str] = []

    def then(text: str) -> None:
        with sqlite3.connect(tmp_path / "notes.db") as other:
            order.append(f"then {text} {other.execute('SELECT text FROM note').fetchall()}")
        other.close()

    await database.write(add_note, "milk", then=then)
    order.append("caller")

    assert order == ["then milk [('milk',)]", "caller"]


async def test_then_of_a_failed_write_is_not_called(database: Database) -> None:
    """What was not committed starts nothing."""
    done: list[None] = []
    with pytest.raises(ValueError, match="no"):
        await database.write(add_note_then_fail, "x", ValueError("no"), then=done.append)
    await database.write(add_note, "milk")
    assert done == []


async def test_a_function_runs_in_the_context_of_its_caller(database: Database) -> None:
    """Correlation reaches the event log without being passed; what is set stays inside."""
    story: ContextVar[str] = ContextVar("story", default="none")
    story.set("order")

    def tell(_: Connection) -> str:
        heard = story.get()
        story.set("changed")
        return heard

    assert await database.write(tell) == "order"
    assert await database.read(tell) == "order"
    assert story.get() == "order"


async def test_a_full_queue_refuses_at_once(tmp_path: Path) -> None:
    """More than may wait are refused before anything is done."""
    database = await Database.open(
        f"sqlite:///{tmp_path}/notes.db", clock=ManualClock(), owner="test", queue_max=2
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


async def test_too_many_reads_are_refused(tmp_path: Path) -> None:
    """Reads have the same bound."""
    database = await Database.open(
        f"sqlite:///{tmp_path}/notes.db",
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


async def test_a_read_sees_one_instant(database: Database) -> None:
    """A write that commits during a read is not seen by it."""
    await database.write(add_note, "milk")
    gate = Gate()

    def read_twice(connection: Connection) -> tuple[list[str], list[str]]:
        first = notes(connection)
        gate(connection)
        return first, notes(connection)

    reading = asyncio.create_task(database.read(read_twice))
    await gate.entered()
    await database.write(add_note, "bread")
    gate.open()

    assert await reading == (["milk"], ["milk"])
    assert await database.read(notes) == ["bread", "milk"]


async def test_a_read_cannot_write(database: Database) -> None:
    """A read that writes is a bug and says so; the reader serves on."""
    with pytest.raises(OperationalError, match="readonly"):
        await database.read(add_note, "smuggled")
    assert await database.read(notes) == []


async def test_a_failing_read_raises_its_own_error(database: Database) -> None:
    """What a read function raises reaches the caller unchanged."""
    failure = LookupError("nothing there")

    def look(_: Connection) -> None:
        raise failure

    with pytest.raises(LookupError) as raised:
        await database.read(look)
    assert raised.value is failure


async def test_commits_are_told_and_failures_are_not(database: Database) -> None:
    """Who follows the log is woken by each commit, and by nothing else."""
    commits: list[None] = []
    database.on_commit(lambda: commits.append(None))

    await database.write(add_note, "milk")
    assert len(commits) == 1
    with pytest.raises(IntegrityError):
        await database.write(add_note, "milk")
    assert len(commits) == 1


async def test_closing_writes_what_is_queued_and_takes_no_more(tmp_path: Path) -> None:
    """An accepted write is written before the end; one that comes later is unavailable."""
    database = await Database.open(
        f"sqlite:///{tmp_path}/notes.db", clock=SystemClock(), owner="test"
    )
    await database.write(create_notes)
    queued = [asyncio.create_task(database.write(add_note, str(number))) for number in range(9)]
    await asyncio.sleep(0)
    await database.close()

    assert await asyncio.gather(*queued) == [str(number) for number in range(9)]
    with pytest.raises(StoreUnavailableError):
        await database.write(add_note, "late")
    await database.close()


async def test_a_write_is_on_the_disk_before_it_is_answered(database: Database) -> None:
    """The journal is a write-ahead log synchronized at every COMMIT, and references hold."""

    def settings(connection: Connection) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names}

    full = 2
    assert await database.write(settings) == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": 1,
    }


@pytest.mark.parametrize(
    "url",
    [
        "",
        "no url",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:////no/such/folder/file.db",
        "postgresql://localhost/order",
    ],
)
async def test_a_database_that_cannot_be_used_is_refused_at_start(url: str) -> None:
    """Wrong settings stop the process before it serves."""
    with pytest.raises(DatabaseSettingsError):
        await Database.open(url, clock=ManualClock(), owner="test")
