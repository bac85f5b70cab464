"""A PostgreSQL server that neither answers nor closes the connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from psycopg.errors import ConnectionTimeout
from sqlalchemy import Connection

from discovery.clock import SystemClock
from services.chassis.store.database import Database, StoreUnavailableError
from services.chassis.store.watched_connection import ConnectionWatch
from tests.support.chassis.echo_service import echo_server
from tests.support.chassis.event_consumer import while_time_passes
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.store.databases import (
    CONSTRAINT_VIOLATION,
    POSTGRESQL,
    Databases,
    databases_of,
    opened_database,
)
from tests.support.store.note_table import add_note, create_notes, notes
from tests.support.store.postgres_pool import PostgresPool
from tests.support.store.silent_proxy import SilentProxy, silent_proxy

T = TypeVar("T")
# How long a statement may be unanswered here, in real time. It is longer than an attempt to connect
# takes, and than a busy machine keeps a statement waiting.
TIMEOUT_S = 3.0
# A server closes by itself, after a minute, a connection on which nobody has logged in.
CLOSED_BY_US_S = 30.0
Response = health_pb2.HealthCheckResponse


@pytest.fixture
def databases(postgres_pool: PostgresPool) -> Iterator[Databases]:
    """Databases of a PostgreSQL server."""
    with databases_of(POSTGRESQL, lambda: postgres_pool) as found:
        yield found


@pytest.fixture
async def proxy(databases: Databases) -> AsyncIterator[SilentProxy]:
    """A proxy before a database with a table of notes."""
    async with opened_database(databases) as direct:
        await direct.write(create_notes)
    async with silent_proxy(databases.url()) as found:
        yield found


@pytest.fixture
def clock() -> ManualClock:
    """The clock by which writes wait for each other."""
    return ManualClock()


@pytest.fixture
async def database(proxy: SilentProxy, clock: ManualClock) -> AsyncIterator[Database]:
    """The database through the proxy."""
    opened = await Database.open(
        proxy.url, clock=clock, owner="test", readers=1, timeout_s=TIMEOUT_S
    )
    yield opened
    proxy.resume()
    await while_time_passes(clock, opened.close())


async def unavailable(clock: ManualClock, call: Awaitable[object]) -> None:
    """Wait, while time passes, until a call is refused."""
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(StoreUnavailableError):
            await while_time_passes(clock, call)


async def once_it_answers(call: Callable[[], Awaitable[T]]) -> T:
    """Repeat a call until the store answers it."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                return await call()
            except StoreUnavailableError:
                continue


async def test_reads_end_and_health_follows(
    database: Database, proxy: SilentProxy, clock: ManualClock
) -> None:
    """An unanswered read ends; the instance is NOT_SERVING until the store answers again."""
    async with echo_server(database=database) as echo:
        health: Any = health_pb2_grpc.HealthStub(echo.channel)

        async def status() -> int:
            return int((await health.Check(health_pb2.HealthCheckRequest())).status)

        assert await database.read(notes) == []
        assert await status() == Response.SERVING
        proxy.hush()
        await unavailable(clock, database.read(notes))
        assert await status() == Response.NOT_SERVING
        with pytest.raises(StoreUnavailableError):
            await database.read(notes)
        assert await status() == Response.NOT_SERVING

        proxy.resume()
        assert await once_it_answers(lambda: database.read(notes)) == []
        assert await status() == Response.SERVING


async def test_a_server_that_answers_no_connection_is_silent(proxy: SilentProxy) -> None:
    """Health follows as well if the server only accepts connections and never answers them."""
    proxy.hush()
    database = await Database.open(
        proxy.url, clock=SystemClock(), owner="test", readers=1, timeout_s=TIMEOUT_S
    )
    async with echo_server(database=database) as echo, asyncio.timeout(WAIT_S):
        health: Any = health_pb2_grpc.HealthStub(echo.channel)

        async def status() -> int:
            return int((await health.Check(health_pb2.HealthCheckRequest())).status)

        assert await status() == Response.SERVING
        while await status() == Response.SERVING:
            with pytest.raises(StoreUnavailableError):
                await database.read(notes)
        proxy.resume()
        assert await once_it_answers(lambda: database.read(notes)) == []
        assert await status() == Response.SERVING
    await database.close()
    # No attempt to connect has left its connection open.
    async with asyncio.timeout(CLOSED_BY_US_S):
        await proxy.closed()


async def test_the_time_without_answers_begins_with_the_first_look(proxy: SilentProxy) -> None:
    """A service whose first attempt to connect takes a while is not silent at once."""
    proxy.hush()
    watch = ConnectionWatch()
    with pytest.raises(ConnectionTimeout):
        await asyncio.to_thread(watch.connect, proxy.url, connect_timeout=2)
    assert not watch.cut_silent(1000.0, TIMEOUT_S)
    assert not watch.cut_silent(1000.0 + TIMEOUT_S / 2, TIMEOUT_S)
    assert watch.cut_silent(1000.0 + TIMEOUT_S, TIMEOUT_S)


async def test_an_unanswered_statement_of_a_write_undoes_it(
    database: Database, proxy: SilentProxy, clock: ManualClock
) -> None:
    """A write whose statement is unanswered is unavailable and has no effect."""

    def hush_and_add(connection: Connection) -> None:
        proxy.hush()
        add_note(connection, "milk")

    await unavailable(clock, database.write(hush_and_add))
    proxy.resume()
    assert await once_it_answers(lambda: database.write(add_note, "bread")) == "bread"
    assert await database.read(notes) == ["bread"]


async def test_an_unanswered_commit_is_unknown_and_not_repeated(
    database: Database, proxy: SilentProxy, clock: ManualClock
) -> None:
    """A COMMIT without an answer is unavailable; it may have happened, and happens once."""

    def add_and_hush(connection: Connection) -> None:
        add_note(connection, "milk")
        proxy.hush_answers()

    await unavailable(clock, database.write(add_and_hush))
    proxy.resume()
    with pytest.raises(CONSTRAINT_VIOLATION[1]) as refused:
        await once_it_answers(lambda: database.write(_add_by_driver, "milk"))
    assert refused.value.sqlstate == "23505"
    assert await database.read(notes) == ["milk"]


async def test_an_idle_connection_is_replaced_with_a_silent_one(
    database: Database, proxy: SilentProxy, clock: ManualClock
) -> None:
    """The writer does not go on with a connection of the time before the silence."""
    await database.write(add_note, "before")
    pid = await database.write(_backend)
    assert await database.read(notes) == ["before"]
    proxy.hush()
    await unavailable(clock, database.read(notes))
    proxy.resume()
    assert await database.write(_backend) != pid


async def test_a_slow_answer_within_the_limit_is_awaited(
    database: Database, proxy: SilentProxy, clock: ManualClock
) -> None:
    """A pause that is shorter than the limit fails nothing."""
    assert await database.read(notes) == []
    proxy.hush()
    reading = asyncio.create_task(database.read(notes))
    for _ in range(80):
        await clock.advance(0.1)
    proxy.resume()
    async with asyncio.timeout(WAIT_S):
        assert await reading == []


def _add_by_driver(connection: Connection, text: str) -> None:
    driver: Any = connection.connection.dbapi_connection
    driver.execute("INSERT INTO note (text) VALUES (%s)", (text,))


def _backend(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
