"""A standby is promoted: nobody reads from before what he committed, and a loss is said."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog, NewEvent
from services.chassis.log.tailer import Tailer
from services.chassis.store.database import Database, StoreUnavailableError
from services.chassis.store.errors import HistoryLostError, StaleServerError
from services.chassis.store.migrations import CHASSIS_VERSIONS
from tests.support.limits import WAIT_S
from tests.support.store.databases import migrate
from tests.support.store.failover import ServerPair, server_pair
from tests.support.store.note_table import add_note, create_notes, notes
from tests.support.store.silent_proxy import SilentProxy, silent_proxy

PLACED = NewEvent("Placed", b"")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[ServerPair]:
    """A primary and its standby."""
    with server_pair(tmp_path) as started:
        yield started


@pytest.fixture
async def proxy(pair: ServerPair) -> AsyncIterator[SilentProxy]:
    """The address of the service's database, which leads to the primary."""
    async with silent_proxy(pair.primary_url) as found:
        yield found


@pytest.fixture
async def database(proxy: SilentProxy) -> AsyncIterator[Database]:
    """The database at that address, with a table of notes."""
    async with opened_at(proxy.url) as opened:
        await opened.write(create_notes)
        yield opened


@asynccontextmanager
async def opened_at(url: str) -> AsyncIterator[Database]:
    """Open a database with one reader."""
    opened = await Database.open(url, clock=SystemClock(), owner="test", readers=1)
    try:
        yield opened
    finally:
        await opened.close()


def end_session(connection: Connection) -> None:
    """End the session, as a lost connection does."""
    connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")


async def promote(pair: ServerPair, proxy: SilentProxy) -> None:
    """Promote the standby and lead new connections to it; the former primary still answers."""
    await asyncio.to_thread(pair.catch_up)
    await asyncio.to_thread(pair.promote)
    proxy.switch_to(pair.standby_url)


@pytest.mark.parametrize("parameters", ["", "?target_session_attrs=any"])
async def test_a_standby_is_not_read(
    pair: ServerPair, proxy: SilentProxy, database: Database, parameters: str
) -> None:
    """An instance that is led to a standby reads nothing from it before it is promoted."""
    await database.write(add_note, "milk")
    await asyncio.to_thread(pair.catch_up)
    proxy.switch_to(pair.standby_url)
    async with opened_at(proxy.url + parameters) as early:
        for snapshot in (True, False):
            with pytest.raises(StoreUnavailableError) as refused:
                await early.read(notes, snapshot=snapshot)
            if parameters:
                assert isinstance(refused.value, StaleServerError)
            assert "standby" in f"{refused.value} {refused.value.__cause__}"
        with pytest.raises(StoreUnavailableError):
            await early.write(add_note, "bread")

        await asyncio.to_thread(pair.promote)
        assert await early.read(notes) == ["milk"]


async def test_who_committed_does_not_read_from_the_former_primary(
    pair: ServerPair, proxy: SilentProxy, database: Database
) -> None:
    """A reader that is still connected to the former primary moves with the writer."""
    assert await database.read(notes) == []
    await promote(pair, proxy)
    assert await database.read(notes) == []
    with pytest.raises(StoreUnavailableError):
        await database.write(end_session)
    await database.write(add_note, "milk")
    assert await database.read(notes) == ["milk"]


async def test_a_writer_does_not_stay_on_the_former_primary(
    pair: ServerPair, proxy: SilentProxy, database: Database
) -> None:
    """The writer moves with a reader, so that its commit is not lost."""
    await promote(pair, proxy)
    assert await database.read(notes) == []
    await database.write(add_note, "milk")
    assert await database.read(notes) == ["milk"]


async def test_a_way_back_to_the_former_primary_is_refused(
    pair: ServerPair, proxy: SilentProxy, database: Database
) -> None:
    """Who has seen the new primary takes neither reads nor writes to the former one."""
    await promote(pair, proxy)
    assert await database.read(notes) == []
    proxy.switch_to(pair.primary_url)
    for _ in range(2):
        with pytest.raises(StaleServerError, match="former primary"):
            await database.write(add_note, "milk")
    with pytest.raises(StoreUnavailableError):
        await database.read(end_session)
    with pytest.raises(StaleServerError, match="former primary"):
        await database.read(notes)


@pytest.mark.parametrize("attributes", [{}, {"target_session_attrs": "read-write"}])
async def test_the_primary_is_found_among_several_hosts(
    pair: ServerPair, proxy: SilentProxy, database: Database, attributes: dict[str, str]
) -> None:
    """With the standby first in the URL, reads and writes find the primary."""
    async with silent_proxy(pair.standby_url) as other:
        places = [make_url(each.url) for each in (other, proxy)]
        url = make_conninfo(
            host=",".join(str(place.host) for place in places),
            port=",".join(str(place.port) for place in places),
            user=places[0].username,
            dbname=places[0].database,
            **attributes,
        )
        async with opened_at(url) as several:
            await several.write(add_note, "milk")
            assert await several.read(notes) == ["milk"]


async def test_lost_events_are_said(pair: ServerPair, proxy: SilentProxy) -> None:
    """A promoted standby that lacks a committed event is neither read nor written."""
    await migrate(pair.primary_url, CHASSIS_VERSIONS)
    log = EventLog(clock=SystemClock(), ids=IdFactory(clock=SystemClock(), rng=random.Random(1)))
    async with AsyncExitStack() as stack:
        one, another, fresh = [
            await stack.enter_async_context(opened_at(proxy.url)) for _ in range(3)
        ]
        healths: dict[str, list[bool]] = {"one": [], "another": []}
        one.silence.on_change(healths["one"].append)
        another.silence.on_change(healths["another"].append)
        Tailer(database=one, log=log, clock=SystemClock())
        following = Tailer(database=another, log=log, clock=SystemClock(), poll_s=0.001)
        running = asyncio.create_task(following.run())
        stack.callback(running.cancel)
        await one.write(log.append, "ord_1", 0, (PLACED,))
        await asyncio.to_thread(pair.catch_up)
        pair.standby.stop()
        await one.write(log.append, "ord_1", 1, (PLACED,))
        async with asyncio.timeout(WAIT_S):
            assert await following.wait_position(2)

        pair.primary.kill()
        pair.standby.start()
        await asyncio.to_thread(pair.promote)
        proxy.switch_to(pair.standby_url)
        for database in (one, another):
            for call in (lambda each: each.read(log.head), lambda each: each.write(log.head)):
                await said(database, call)
        # Another event at the position doesn't make up for the one that was lost.
        await fresh.write(log.append, "ord_2", 0, (PLACED, PLACED))
        await said(one, lambda each: each.read(log.head))
        assert healths == {"one": [True], "another": [True]}


async def said(database: Database, call: Callable[[Database], Awaitable[object]]) -> None:
    """Wait until a call is refused because an event was lost."""
    refused: StoreUnavailableError | None = None
    async with asyncio.timeout(WAIT_S):
        while not isinstance(refused, HistoryLostError):
            with pytest.raises(StoreUnavailableError) as raised:
                await call(database)
            refused = raised.value
    assert refused.facts == {"position": "2"}
