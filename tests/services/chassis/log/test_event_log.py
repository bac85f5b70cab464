"""The event log has versions 1..n per stream and positions 1..n per service, in commit order."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from services.chassis.ids import IdFactory
from services.chassis.log.errors import StreamConflictError
from services.chassis.log.event_log import EventLog, NewEvent, StoredEvent
from services.chassis.store.database import Database
from services.chassis.telemetry import correlation
from services.chassis.telemetry.correlation import Correlation
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import Databases, opened_database

PLACED = NewEvent(type="tradepost.order.v1.OrderPlaced", payload=b"placed")
RESERVED = NewEvent(type="tradepost.order.v1.StockReserved", payload=b"reserved")
CONFIRMED = NewEvent(type="tradepost.order.v1.OrderConfirmed", payload=b"confirmed")


@pytest.fixture
def clock() -> ManualClock:
    """A clock that moves only when the test advances it."""
    return ManualClock()


@pytest.fixture
def log(clock: ManualClock) -> EventLog:
    """An event log."""
    return EventLog(clock=clock, ids=IdFactory(clock=clock, rng=random.Random(7)))


@pytest.fixture
async def database(databases: Databases, clock: ManualClock) -> AsyncIterator[Database]:
    """A migrated database."""
    async with opened_database(databases, clock=clock) as opened:
        yield opened


def stream_of(log: EventLog, stream: str, **bounds: int) -> "StreamReader":
    """A read function for the stream."""
    return StreamReader(log, stream, bounds)


class StreamReader:
    """Calls `read_stream` with keywords; a read function takes positional arguments only."""

    def __init__(self, log: EventLog, stream: str, bounds: dict[str, int]) -> None:
        self._log, self._stream, self._bounds = log, stream, bounds

    def __call__(self, connection: Connection) -> tuple[StoredEvent, ...]:
        return self._log.read_stream(connection, self._stream, **self._bounds)


async def test_what_is_appended_is_read_back(database: Database, log: EventLog) -> None:
    """An append returns the stored events, and reading the stream returns the same."""
    stored = await database.write(log.append, "ord_1", 0, [PLACED, RESERVED])

    assert [(event.position, event.version) for event in stored] == [(1, 1), (2, 2)]
    assert [(event.type, event.payload) for event in stored] == [
        (PLACED.type, b"placed"),
        (RESERVED.type, b"reserved"),
    ]
    assert len({event.event_id for event in stored}) == 2
    assert await database.read(stream_of(log, "ord_1")) == stored


async def test_a_stream_that_moved_on_is_a_conflict(database: Database, log: EventLog) -> None:
    """An append that expects another version raises StreamConflictError and writes nothing."""
    await database.write(log.append, "ord_1", 0, [PLACED])

    for expected in (0, 2):
        with pytest.raises(StreamConflictError) as raised:
            await database.write(log.append, "ord_1", expected, [RESERVED])
        assert raised.value.facts == {"stream": "ord_1", "expected_version": str(expected)}
    with pytest.raises(StreamConflictError):
        await database.write(log.append, "ord_2", 1, [RESERVED])

    assert await database.read(log.head) == 1


async def test_appending_nothing_still_checks_the_version(
    database: Database, log: EventLog
) -> None:
    """An append without events still raises StreamConflictError for a wrong version."""
    assert await database.write(log.append, "ord_1", 0, []) == ()
    with pytest.raises(StreamConflictError):
        await database.write(log.append, "ord_1", 3, [])


async def test_positions_have_no_gaps_whatever_fails(database: Database, log: EventLog) -> None:
    """If half of many concurrent appends fail, positions are still 1..n in commit order."""

    def append_then_fail(connection: Connection, stream: str) -> None:
        log.append(connection, stream, 0, [PLACED, RESERVED])
        raise LookupError(stream)

    failing = [database.write(append_then_fail, f"bad_{number}") for number in range(40)]
    working = [
        database.write(log.append, f"ord_{number}", 0, [PLACED] * (1 + number % 3))
        for number in range(40)
    ]
    calls = [call for pair in zip(failing, working, strict=True) for call in pair]
    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert sum(isinstance(answer, LookupError) for answer in answers) == 40
    events = await database.read(log.read_from, 0, 1000)
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    assert len(events) == sum(1 + number % 3 for number in range(40))
    assert await database.read(log.head) == len(events)


async def test_the_database_itself_refuses_a_version_twice(
    database: Database, log: EventLog
) -> None:
    """A unique constraint prevents two events with the same version in a stream."""
    await database.write(log.append, "ord_1", 0, [PLACED])

    def repeat(connection: Connection) -> None:
        connection.exec_driver_sql(
            "INSERT INTO event SELECT position + 1, event_id, stream, version, type, payload,"
            " occur_time, '', '', '', '', '', '' FROM event"
        )

    with pytest.raises(IntegrityError):
        await database.write(repeat)


async def test_times_of_a_stream_never_go_back(
    database: Database, log: EventLog, clock: ManualClock
) -> None:
    """The times of a stream never decrease, even if the wall clock is set back."""
    late = clock.now() + timedelta(seconds=5)

    def place(connection: Connection) -> tuple[StoredEvent, ...]:
        return log.append(connection, "ord_1", 0, [PLACED], not_before=late)

    placed = await database.write(place)
    reserved = await database.write(log.append, "ord_1", 1, [RESERVED])
    await clock.advance(60)
    confirmed = await database.write(log.append, "ord_1", 2, [CONFIRMED])

    assert placed[0].occur_time == late
    assert reserved[0].occur_time == late
    assert confirmed[0].occur_time == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)


async def test_events_carry_the_correlation_of_their_writer(
    database: Database, log: EventLog
) -> None:
    """Events take correlation, causation and traceparent from the caller's context."""
    token = correlation.bind(
        Correlation(correlation_id="basket-7", causation_id="evt_before", traceparent="00-1-2-01")
    )
    try:
        await database.write(log.append, "ord_1", 0, [PLACED])
    finally:
        token.var.reset(token)
    await database.write(log.append, "ord_1", 1, [RESERVED])

    placed, reserved = await database.read(stream_of(log, "ord_1"))
    assert (placed.correlation_id, placed.causation_id) == ("basket-7", "evt_before")
    assert placed.traceparent == "00-1-2-01"
    assert (reserved.correlation_id, reserved.traceparent) == ("", "")


async def test_a_stream_is_read_in_parts(database: Database, log: EventLog) -> None:
    """A read of a stream can be limited by first version, last version and number."""
    await database.write(log.append, "ord_1", 0, [PLACED] * 9)
    await database.write(log.append, "ord_2", 0, [PLACED])

    async def versions(**bounds: int) -> list[int]:
        events = await database.read(stream_of(log, "ord_1", **bounds))
        return [event.version for event in events]

    assert await versions() == list(range(1, 10))
    assert await versions(after_version=7) == [8, 9]
    assert await versions(up_to_version=2) == [1, 2]
    assert await versions(after_version=2, limit=3) == [3, 4, 5]
    assert await versions(after_version=9) == []
    assert await versions(after_version=2**63 - 1, limit=2**62) == []


async def test_the_feed_is_read_from_a_position(database: Database, log: EventLog) -> None:
    """`read_from` returns the events of all streams in commit order."""
    await database.write(log.append, "ord_1", 0, [PLACED])
    await database.write(log.append, "ord_2", 0, [PLACED])
    await database.write(log.append, "ord_1", 1, [RESERVED])

    events = await database.read(log.read_from, 1, 10)
    assert [(event.position, event.stream) for event in events] == [(2, "ord_2"), (3, "ord_1")]
    assert len(await database.read(log.read_from, 0, 2)) == 2


async def test_an_empty_log_has_a_head_and_an_epoch(database: Database, log: EventLog) -> None:
    """A new log has head 0 and an epoch of its own."""
    assert await database.read(log.head) == 0
    assert await database.read(log.epoch) != ""
