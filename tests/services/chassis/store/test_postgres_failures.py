"""If PostgreSQL fails, every caller of the batch gets an error, and later writes work."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from discovery.clock import SystemClock
from services.chassis.store.database import Database, StoreUnavailableError
from services.chassis.store.migrations import CHASSIS_VERSIONS
from services.chassis.store.postgres import PostgresDialect
from services.chassis.store.urls import dialect_of
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.store.databases import POSTGRESQL, Databases, Gate, opened_database, writing
from tests.support.store.note_table import add_note, create_notes, notes

pytestmark = pytest.mark.parametrize("databases", [POSTGRESQL], indirect=True)


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    """A database whose clock stands still, so that a batch takes in every waiting write."""
    opened = await Database.open(databases.url("notes"), clock=ManualClock(), owner="test")
    await opened.write(create_notes)
    yield opened
    await opened.close()


def fail_with(sqlstate: str) -> Callable[[Connection], None]:
    """A function whose statement fails with the given SQLSTATE."""

    def fail(connection: Connection) -> None:
        connection.exec_driver_sql(
            f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$"
        )

    return fail


def lose_connection(connection: Connection) -> None:
    """End the session, as an operator can."""
    connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")


def end_transaction(connection: Connection) -> None:
    """End the transaction without the writer's knowledge."""
    connection.exec_driver_sql("ROLLBACK")


def break_at_commit(connection: Connection) -> None:
    """Violate a constraint that is checked only at COMMIT."""
    connection.exec_driver_sql(
        "CREATE TABLE child (text VARCHAR REFERENCES note DEFERRABLE INITIALLY DEFERRED)"
    )
    connection.exec_driver_sql("INSERT INTO child VALUES ('nobody')")


@pytest.mark.parametrize(
    "failing",
    [
        pytest.param(fail_with("53100"), id="disk full"),
        pytest.param(fail_with("40001"), id="serialization failure"),
        pytest.param(fail_with("57P01"), id="admin shutdown"),
        pytest.param(lose_connection, id="connection lost"),
        pytest.param(end_transaction, id="transaction ended"),
        pytest.param(break_at_commit, id="commit failed"),
    ],
)
async def test_a_failing_store_fails_every_caller_of_the_batch(
    database: Database, failing: Callable[[Connection], None]
) -> None:
    """No caller of a failed batch gets a success or a refusal, as its reads were not committed."""
    gate, done = Gate(), list[str]()

    def refuse(_: Connection) -> None:
        raise LookupError

    calls: list[asyncio.Task[object]] = [
        asyncio.create_task(database.write(gate)),
        asyncio.create_task(database.write(add_note, "before", then=done.append)),
        asyncio.create_task(database.write(refuse)),
        asyncio.create_task(database.write(failing)),
    ]
    await gate.entered()
    gate.open()

    for call in calls:
        with pytest.raises(StoreUnavailableError):
            await call
    assert done == []
    assert await database.write(add_note, "after") == "after"
    assert await database.read(notes) == ["after"]


@pytest.mark.parametrize("first", [True, False], ids=["first of a batch", "later in a batch"])
async def test_a_function_that_goes_on_after_a_failed_statement_fails_alone(
    database: Database, *, first: bool
) -> None:
    """A function that catches the error of a statement fails, and others of its batch do not."""
    await database.write(add_note, "milk")

    def swallow(connection: Connection) -> None:
        add_note(connection, "bread")
        with pytest.raises(IntegrityError):
            add_note(connection, "milk")

    gate = Gate()
    blocking = None if first else asyncio.create_task(database.write(gate))
    if blocking is not None:
        await gate.entered()
    swallowing = asyncio.create_task(database.write(swallow))
    after = asyncio.create_task(database.write(add_note, "tea"))
    await asyncio.sleep(0)
    gate.open()

    with pytest.raises(RuntimeError, match="went on"):
        await swallowing
    assert await after == "tea"
    assert await database.read(notes) == ["milk", "tea"]
    if blocking is not None:
        await blocking


async def test_a_reader_whose_connection_is_lost_gets_another(database: Database) -> None:
    """A read whose connection is lost is unavailable; the next read works."""
    with pytest.raises(StoreUnavailableError):
        await database.read(lose_connection)
    assert await database.read(notes) == []


async def test_a_server_that_is_not_there_is_unavailable(databases: Databases) -> None:
    """Without a server, reads and writes are unavailable at once, and threads survive."""
    url = databases.url("notes").replace("host=", "host=/nowhere")
    database = await Database.open(url, clock=ManualClock(), owner="test")
    for _ in range(2):
        with pytest.raises(StoreUnavailableError):
            await database.write(create_notes)
        with pytest.raises(StoreUnavailableError):
            await database.read(notes)
    await database.close()


class Counting(PostgresDialect):
    """Counts the attempts to take the lock."""

    def __init__(self, url: str) -> None:
        super().__init__(conninfo_to_dict(url))
        self.asked = threading.Semaphore(0)

    def begin(self, connection: Connection) -> None:
        self.asked.release()
        super().begin(connection)


async def test_a_start_outwaits_another_that_migrates(databases: Databases) -> None:
    """A start waits for another instance's migration longer than the server's lock timeout."""
    url = databases.url("new")
    dialect = Counting(f"{url}&options=-c%20lock_timeout%3D20")
    database = Database(
        dialect, clock=SystemClock(), owner="test", readers=1, queue_max=9, lock_wait_s=2.0
    )
    with writing(url):
        migrating = asyncio.create_task(database.migrate(CHASSIS_VERSIONS))
        for _ in range(3):
            assert await asyncio.to_thread(dialect.asked.acquire, timeout=WAIT_S)
    async with asyncio.timeout(WAIT_S):
        await migrating
    await database.close()


async def test_the_dialect_blames_the_store_for_what_the_store_did(databases: Databases) -> None:
    """Lost connection, full disk and lock are store failures; constraints and bugs are not."""
    dialect = dialect_of(databases.url("any"))
    for sqlstate in ("08006", "53100", "55P03", "25P03", "57P01", "58030", "40P01", "XX001"):
        assert dialect.is_store_failure(psycopg.errors.lookup(sqlstate)())
    for sqlstate in ("23505", "42601", "22P02", "25006", "0A000"):
        assert not dialect.is_store_failure(psycopg.errors.lookup(sqlstate)())
    gone = psycopg.OperationalError("the connection is lost")
    assert dialect.is_store_failure(gone)
    assert dialect.is_store_failure(DBAPIError("COMMIT", None, gone))
    assert not dialect.is_store_failure(psycopg.ProgrammingError("a parameter is missing"))
    assert not dialect.is_store_failure(TimeoutError())


async def test_two_databases_of_one_server_do_not_wait_for_each_other(
    databases: Databases,
) -> None:
    """The writers' lock belongs to one database, not to the server."""
    async with opened_database(databases, name="one") as one:
        with writing(databases.url("other")):
            async with asyncio.timeout(WAIT_S):
                assert await one.write(lambda _: "written") == "written"
