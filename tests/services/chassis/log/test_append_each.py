"""`append_each` writes the same log as single appends, in fewer statements."""

import random
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.chassis.ids import IdFactory
from services.chassis.log.errors import StreamConflictError
from services.chassis.log.event_log import EventLog, NewEvent, StreamAppend
from services.chassis.store.database import Database
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import Databases, opened_database

CAME = NewEvent(type="tradepost.inventory.v1.ItemUpserted", payload=b"came")
LEFT = NewEvent(type="tradepost.inventory.v1.StockAdjusted", payload=b"left")


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


async def test_each_stream_gets_its_versions_and_all_get_their_positions(
    database: Database, log: EventLog
) -> None:
    """Positions are in the given order of streams; versions continue those of each stream."""
    await database.write(log.append, "itm_apple", 0, [CAME])

    await database.write(
        log.append_each,
        [
            StreamAppend("itm_pear", 0, [CAME, LEFT]),
            StreamAppend("itm_fig", 0, []),
            StreamAppend("itm_apple", 1, [LEFT]),
        ],
    )

    events = await database.read(log.read_from, 0, 10)
    assert [(each.position, each.stream, each.version, each.type) for each in events] == [
        (1, "itm_apple", 1, CAME.type),
        (2, "itm_pear", 1, CAME.type),
        (3, "itm_pear", 2, LEFT.type),
        (4, "itm_apple", 2, LEFT.type),
    ]
    assert await database.read(log.head) == 4


@pytest.mark.parametrize("expected", [0, 2])
async def test_a_conflict_of_one_stream_refuses_all(
    database: Database, log: EventLog, expected: int
) -> None:
    """If one stream is not at its expected version, nothing is appended to any stream."""
    await database.write(log.append, "itm_apple", 0, [CAME])

    with pytest.raises(StreamConflictError):
        await database.write(
            log.append_each,
            [StreamAppend("itm_pear", 0, [CAME]), StreamAppend("itm_apple", expected, [LEFT])],
        )

    assert await database.read(log.head) == 1


async def test_time_goes_back_for_none_of_the_streams(
    database: Database, log: EventLog, clock: ManualClock
) -> None:
    """All events get one time, not before the newest event of any of the streams."""
    ahead = clock.now() + timedelta(seconds=30)
    await database.write(lambda c: log.append(c, "itm_apple", 0, [CAME], not_before=ahead))

    stored = await database.write(
        log.append_each,
        [StreamAppend("itm_pear", 0, [CAME]), StreamAppend("itm_apple", 1, [LEFT])],
    )

    assert {each.occur_time for each in stored} == {ahead}


async def test_appending_nothing_takes_no_position(database: Database, log: EventLog) -> None:
    """Appending no events takes no position."""
    assert await database.write(log.append_each, []) == ()
    assert await database.read(log.head) == 0
