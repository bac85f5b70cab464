"""Many callers, one transaction, one COMMIT; each caller's failure is its own."""

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
from tests.support.store.databases import Databases, Gate, opened_database
from tests.support.store.note_table import add_note, add_note_then_fail, create_notes, notes

WAIT_S = 10.0
# A pause of the machine may keep the later one from coming in time.
ATTEMPTS = 10


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    """A clock that stands still never ends a batch, so whoever waits joins the running one."""
    opened = await Database.open(
        databases.url("notes"), clock=ManualClock(), owner="test", queue_max=100
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


async def test_the_writer_rests_for_as_long_as_a_batch_took(databases: Databases) -> None:
    """Who asks shortly after a long batch shares a commit with who asks a little later."""
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
    database: Database, databases: Databases
) -> None:
    """`then` sees its write committed, and the awaiting caller resumes after it."""
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


async def test_commits_are_told_and_failures_are_not(database: Database) -> None:
    """Who follows the log is woken by each commit, and by nothing else."""
    commits: list[None] = []
    database.on_commit(lambda: commits.append(None))

    await database.write(add_note, "milk")
    assert len(commits) == 1
    with pytest.raises(IntegrityError):
        await database.write(add_note, "milk")
    assert len(commits) == 1
