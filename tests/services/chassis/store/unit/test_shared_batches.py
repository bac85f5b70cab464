"""What the writes of one batch must not do to each other."""

import asyncio
import random
import threading
from contextvars import ContextVar
from functools import partial
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog, NewEvent
from services.chassis.store import shared_transaction
from services.chassis.store.database import Database, StoreUnavailableError
from services.chassis.store.migrations import CHASSIS_VERSIONS
from services.chassis.store.unit.unit import Unit, read_ahead
from services.chassis.store.writer import BATCH_S
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.store.databases import (
    CONSTRAINT_VIOLATION,
    POSTGRESQL,
    Databases,
    Gate,
    opened_database,
    writing,
)
from tests.support.store.seats import GUESTS, SEATS, TABLES, put_seat, together

_CLOCK = SystemClock()
_LOG = EventLog(clock=_CLOCK, ids=IdFactory(clock=_CLOCK, rng=random.Random(1)))


def append(connection: Connection, version: int) -> int:
    """Append an event to the stream at this version."""
    _LOG.append(connection, "ord_1", version, [NewEvent("t", b"")])
    return version + 1


async def test_a_slow_read_ahead_leaves_time_for_a_function(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function runs even if reading for it took longer than a batch may."""

    def pausing(unit: Unit, wanted: Any) -> None:
        threading_pause(2 * BATCH_S)
        read(unit, wanted)

    read = Unit._read
    monkeypatch.setattr(Unit, "_read", pausing)
    async with opened_database(databases) as database:
        write = partial(append, version=0)
        assert await database.write(write, needs=_LOG.needs("ord_1")) == 1


def threading_pause(pause_s: float) -> None:
    """Keep the running thread busy for so long."""
    until_s = _CLOCK.monotonic() + pause_s
    while _CLOCK.monotonic() < until_s:
        pass


async def test_reading_ahead_ends_at_so_many_keys(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Functions that name more keys than are read at once still share a batch."""
    monkeypatch.setattr(shared_transaction, "READ_AHEAD_MAX", 3)
    async with opened_database(databases, clock=ManualClock()) as database:
        await database.write(TABLES.create_all)
        gate = Gate()
        first = asyncio.create_task(database.write(gate))
        await gate.entered()
        writes = [
            asyncio.create_task(
                database.write(
                    partial(put_seat, seat_id=f"{number}", is_live=False),
                    needs=[SEATS.need(f"{number}"), SEATS.need(f"other {number}")],
                )
            )
            for number in range(9)
        ]
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(first, *writes)
        found = await database.read(SEATS.each, [f"{number}" for number in range(9)])
    assert all(found.values())


async def test_a_stream_that_is_read_late_has_the_events_of_its_batch(
    databases: Databases,
) -> None:
    """A function that loads a stream sees what another one of its batch has appended to it."""

    def load_and_append(connection: Connection) -> int:
        read_ahead(connection, _LOG.needs_of_streams("ord_1"))
        return append(connection, len(_LOG.read_stream(connection, "ord_1")))

    async with opened_database(databases, clock=ManualClock()) as database:
        await database.write(append, 0)
        outcomes = await together(database, partial(append, version=1), load_and_append)
        assert outcomes == [2, 3]


async def test_a_row_makes_way_for_another_one(databases: Databases) -> None:
    """A changed row may give up a unique value that an inserted one takes, in one function."""

    def change_seats(connection: Connection) -> None:
        put_seat(connection, "a", is_live=False)
        put_seat(connection, "b", is_live=True)

    async with opened_database(databases, clock=ManualClock()) as database:
        await database.write(TABLES.create_all)
        await database.write(partial(put_seat, seat_id="a", is_live=True))
        await database.write(change_seats)
        row = await database.read(SEATS.one, "b")
    assert row == ("b", "ann", 1)


async def test_a_second_run_begins_like_the_first(databases: Databases) -> None:
    """What the first run set in its context is not there in the second."""
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    seen: list[str] = []

    def remember(connection: Connection) -> None:
        seen.append(variable.get())
        variable.set("set")
        SEATS.add(connection, {"seat_id": "a", "owner": "bob", "is_live": 0})

    async with opened_database(databases, clock=ManualClock()) as database:
        await database.write(TABLES.create_all)
        outcomes = await together(database, remember, remember)
    assert isinstance(outcomes[1], CONSTRAINT_VIOLATION)
    assert len(seen) > len(outcomes)
    assert set(seen) == {"unset"}


@pytest.mark.parametrize("databases", [POSTGRESQL], indirect=True)
@pytest.mark.parametrize("fails_at", range(6))
async def test_a_violated_constraint_spoils_no_later_statement(
    databases: Databases, fails_at: int
) -> None:
    """psycopg would go on with a prepared statement that the server never got."""

    def add_guest(connection: Connection, name: str) -> str:
        GUESTS.add(connection, {"name": name})
        return name

    def take_seat(connection: Connection) -> None:
        SEATS.add(connection, {"seat_id": "a", "owner": "ann", "is_live": 1})

    async with opened_database(databases, clock=ManualClock()) as database:
        await database.write(TABLES.create_all)
        await database.write(take_seat)
        for number in range(fails_at):
            await database.write(add_guest, f"before {number}")
        refused, added = await together(database, take_seat, partial(add_guest, name="beside"))
        assert isinstance(refused, CONSTRAINT_VIOLATION)
        assert added == "beside"
        for number in range(6):
            assert await database.write(add_guest, f"after {number}") == f"after {number}"


@pytest.mark.parametrize("databases", [POSTGRESQL], indirect=True)
async def test_a_batch_that_begins_again_waits_for_the_lock_for_a_limited_time(
    databases: Databases,
) -> None:
    """When another instance takes the lock in between and keeps it, the callers are told."""

    def take_seat(connection: Connection) -> None:
        SEATS.add(connection, {"seat_id": "a", "owner": "ann", "is_live": 1})

    kept, over = threading.Event(), threading.Event()

    def keep_lock(url: str) -> None:
        with writing(url):
            kept.set()
            over.wait()

    # A clock that stands still: a batch takes in every waiting write.
    async with opened_database(databases, clock=ManualClock()) as database:
        await database.write(TABLES.create_all)
        await database.write(take_seat)
        gate = Gate()
        first = asyncio.create_task(database.write(gate))
        await gate.entered()
        other = asyncio.create_task(asyncio.to_thread(keep_lock, databases.url()))
        refused = asyncio.create_task(database.write(take_seat))
        # The other instance waits for the lock, so it is the first to get it.
        await asyncio.to_thread(until_somebody_waits, databases.url())
        gate.open()
        outcomes = await asyncio.gather(first, refused, return_exceptions=True)
        assert kept.is_set()
        over.set()
        await other
    assert [type(each) for each in outcomes] == [StoreUnavailableError] * 2


@pytest.mark.parametrize("databases", [POSTGRESQL], indirect=True)
async def test_a_batch_that_idles_after_its_reads_is_ended(databases: Databases) -> None:
    """The server ends the session, so that a frozen instance doesn't keep the writers' lock."""
    url = await databases.migrated(CHASSIS_VERSIONS, "test")

    def idle(connection: Connection) -> None:
        session = connection.connection.dbapi_connection.info.backend_pid
        with psycopg.connect(url, autocommit=True) as observer:
            while observer.execute(
                f"SELECT 1 FROM pg_stat_activity WHERE pid = {session}"
            ).fetchone():
                pass

    impatient = f"{url}&options=-c%20idle_in_transaction_session_timeout%3D200"
    database = await Database.open(impatient, clock=_CLOCK, owner="test")
    with pytest.raises(StoreUnavailableError):
        async with asyncio.timeout(WAIT_S):
            await database.write(idle, needs=_LOG.needs("ord_1"))
    await database.close()


def until_somebody_waits(url: str) -> None:
    """Return once a session of this database waits for a lock."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with psycopg.connect(url, autocommit=True) as connection:
        while not connection.execute(waiting).fetchone()[0]:
            pass
