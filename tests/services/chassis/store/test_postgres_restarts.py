"""PostgreSQL restarts while a service runs: no write is lost or doubled."""

import asyncio
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from discovery.clock import SystemClock
from scripts.suite.postgres import NOT_DURABLE, PostgresServer
from services.chassis.ids import IdFactory
from services.chassis.log.errors import StreamConflictError
from services.chassis.log.event_log import EventLog, NewEvent
from services.chassis.store.database import Database, StoreUnavailableError
from services.chassis.store.migrations import CHASSIS_VERSIONS
from tests.support.limits import WAIT_S

CALLERS = 16
WRITES = 25

CLOCK = SystemClock()
LOG = EventLog(clock=CLOCK, ids=IdFactory(clock=CLOCK, rng=random.Random(5)))
EVENT = NewEvent(type="tradepost.order.v1.OrderPlaced", payload=b"placed")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    """A server that the test may stop."""
    server = PostgresServer(tmp_path / "data", log_file=tmp_path / "log", settings=NOT_DURABLE)
    server.start()
    server.create_database("order")
    yield server
    server.close()


async def append_once(database: Database, stream: str, failed: asyncio.Event) -> None:
    """Append, and repeat while the store is unavailable, as a caller does."""
    while True:
        try:
            await database.write(LOG.append, stream, 0, [EVENT])
        except StoreUnavailableError:
            failed.set()
            await asyncio.sleep(0)
        except StreamConflictError:
            # The COMMIT happened, but its answer was lost.
            return
        else:
            return


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_what_was_answered_is_there_once_after_a_restart(
    server: PostgresServer, how: str
) -> None:
    """Writes are unavailable while the server is down, and work afterwards without gaps."""
    database = await Database.open(server.url("order"), clock=CLOCK, owner="test")
    await database.migrate(CHASSIS_VERSIONS)
    answered, failed = asyncio.Semaphore(0), asyncio.Event()

    async def call(caller: int) -> None:
        for number in range(WRITES):
            await append_once(database, f"ord_{caller}_{number}", failed)
            answered.release()

    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
        for caller in range(CALLERS):
            group.create_task(call(caller))
        for _ in range(CALLERS):
            await answered.acquire()
        getattr(server, how)()
        await failed.wait()
        with pytest.raises(StoreUnavailableError):
            await database.read(LOG.head)
        server.start()

    events = await database.read(LOG.read_from, 0, 10_000)
    assert [event.position for event in events] == list(range(1, CALLERS * WRITES + 1))
    assert len({event.stream for event in events}) == CALLERS * WRITES
    await database.close()


async def test_a_service_starts_before_its_server_does(server: PostgresServer) -> None:
    """A database opens before its server runs; calls fail until the server is up."""
    server.stop()
    database = await Database.open(server.url("order"), clock=CLOCK, owner="test")
    with pytest.raises(StoreUnavailableError):
        await database.migrate(CHASSIS_VERSIONS)

    server.start()
    await database.migrate(CHASSIS_VERSIONS)
    assert await database.read(LOG.head) == 0
    await database.close()


async def test_a_database_closes_while_its_server_is_stopped(server: PostgresServer) -> None:
    """A database closes while its server is down, and waiting writes fail."""
    database = await Database.open(server.url("order"), clock=CLOCK, owner="test")
    await database.migrate(CHASSIS_VERSIONS)
    server.kill()
    writing = asyncio.create_task(database.write(partial(LOG.append, events=[EVENT]), "ord_1", 0))
    await asyncio.sleep(0)
    async with asyncio.timeout(WAIT_S):
        await database.close()

    with pytest.raises(StoreUnavailableError):
        await writing
