"""Waiting writes share one transaction and one COMMIT; a failure affects its caller alone."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from discovery.clock import SystemClock
from services.chassis.store.database import Database
from services.chassis.store.urls import dialect_of
from services.chassis.store.writer import REST_MAX_S
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases, Gate, opened_database
from tests.support.store.note_table import add_note, add_note_then_fail, create_notes, notes

# If the machine pauses, the second write may arrive too late.
ATTEMPTS = 10


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    """A database whose clock stands still, so that a batch takes in every waiting write."""
    opened = await Database.open(
        databases.url("notes"), clock=ManualClock(), owner="test", queue_max=100
    )
    await opened.write(create_notes)
    yield opened
    await opened.close()


async def test_what_is_written_is_read(database: Database) -> None:
    """A write returns its function's result after the COMMIT, and reads see the write."""
    assert await database.write(add_note, "milk") == "milk"
    assert await database.read(notes) == ["milk"]


async def test_waiting_writes_share_one_commit(database: Database) -> None:
    """Writes that wait while another one runs are committed together with it."""
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
    """The 65th write waits for the next transaction, so that a batch always ends."""
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


async def test_the_writer_rests_for_as_long_as_a_batch_took(databases: Databases) -> None:
    """After a long batch, two writes that arrive shortly one after the other share a COMMIT."""
    clock = SystemClock()
    commits: list[None] = []
    async with opened_database(databases, clock=clock) as database:
        await database.write(create_notes)
        database.on_commit(lambda: commits.append(None))
        for number in range(ATTEMPTS):
            gate = Gate()
            long = asyncio.create_task(database.write(gate))
            await gate.entered()
            await clock.sleep(REST_MAX_S)
            gate.open()
            await long
            before = len(commits)
            early = asyncio.create_task(database.write(add_note, f"{number} early"))
            await clock.sleep(REST_MAX_S / 5)
            await database.write(add_note, f"{number} late")
            await early
            if len(commits) == before + 1:
                break
        else:
            pytest.fail("no two writes shared a commit")


async def test_one_failing_write_undoes_its_own_work_alone(database: Database) -> None:
    """Each caller of a batch gets its own result, and only failed functions are undone."""
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
    """The first function of a transaction is undone although it has no savepoint."""
    failing = asyncio.create_task(database.write(add_note_then_fail, "failing", ValueError("no")))
    after = asyncio.create_task(database.write(add_note, "after"))

    with pytest.raises(ValueError, match="no"):
        await failing
    await after
    assert await database.read(notes) == ["after"]


async def test_the_writer_survives_a_system_exit(database: Database) -> None:
    """The caller gets even a SystemExit of its function; the writer thread goes on."""
    job = asyncio.ensure_future(database.write(add_note_then_fail, "exit", GeneratorExit()))
    with pytest.raises(GeneratorExit):
        await job
    assert await database.write(add_note, "milk") == "milk"
    assert await database.read(notes) == ["milk"]


async def test_a_function_that_ends_an_iteration_fails_as_an_error(database: Database) -> None:
    """StopIteration reaches the caller as the RuntimeError of PEP 479."""
    with pytest.raises(RuntimeError):
        await database.write(add_note_then_fail, "stop", StopIteration())
    assert await database.write(add_note, "milk") == "milk"


async def test_a_write_cancelled_before_its_turn_is_skipped(database: Database) -> None:
    """A write whose caller is cancelled before it starts is not executed."""
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
    """A write whose caller is cancelled while it runs is committed, and `then` is called."""
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
    database: Database, databases: Databases
) -> None:
    """`then` is called after the COMMIT and before the caller resumes."""
    order: list[str] = []

    def then(text: str) -> None:
        dialect = dialect_of(databases.url("notes"))
        other = dialect.open_reader()
        order.append(f"then {text} {notes(other)}")
        dialect.close(other)

    await database.write(add_note, "milk", then=then)
    order.append("caller")

    assert order == ["then milk ['milk']", "caller"]


async def test_then_of_a_failed_write_is_not_called(database: Database) -> None:
    """`then` of a failed write is not called."""
    done: list[None] = []
    with pytest.raises(ValueError, match="no"):
        await database.write(add_note_then_fail, "x", ValueError("no"), then=done.append)
    await database.write(add_note, "milk")
    assert done == []


async def test_a_function_runs_in_the_context_of_its_caller(database: Database) -> None:
    """A function sees its caller's context variables, and its changes stay inside."""
    variable: ContextVar[str] = ContextVar("variable", default="none")
    variable.set("order")

    def read_variable(_: Connection) -> str:
        value = variable.get()
        variable.set("changed")
        return value

    assert await database.write(read_variable) == "order"
    assert await database.read(read_variable) == "order"
    assert variable.get() == "order"


async def test_commits_are_reported_and_failures_are_not(database: Database) -> None:
    """Callbacks of `on_commit` are called for each COMMIT, and not for failed writes."""
    commits: list[None] = []
    database.on_commit(lambda: commits.append(None))

    await database.write(add_note, "milk")
    assert len(commits) == 1
    with pytest.raises(IntegrityError):
        await database.write(add_note, "milk")
    assert len(commits) == 1
