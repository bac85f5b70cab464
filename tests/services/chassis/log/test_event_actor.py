"""Every event tells which caller and which instance recorded it."""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from discovery.clock import SystemClock
from services.chassis.identity import caller
from services.chassis.identity.caller import Caller
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog, NewEvent, StoredEvent, StreamAppend
from services.chassis.store.database import Database
from services.chassis.store.migrations import CHASSIS_VERSIONS
from services.chassis.store.schema import upgrade
from tests.support.store.databases import Databases, opened_database

PLACED = NewEvent(type="tradepost.order.v1.OrderPlaced", payload=b"placed")
ALICE = Caller(subject="alice", roles=frozenset({"CUSTOMER"}), service="edge")
ORDER = Caller(service="order")
# What a process of the release before wrote: it knows no actor.
FORMER_EVENT = (
    "INSERT INTO event (position, event_id, stream, version, type, payload, occur_time,"
    " correlation_id, causation_id, traceparent)"
    " VALUES (1, 'evt_1', 'ord_1', 1, 't', '', 1, '', '', '')"
)


@pytest.fixture
def log() -> EventLog:
    """An event log."""
    clock = SystemClock()
    ids = IdFactory(clock=clock, rng=random.Random(7))
    return EventLog(clock=clock, ids=ids, instance_id="order-1")


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    """A migrated database."""
    async with opened_database(databases) as opened:
        yield opened


async def append_as(
    who: Caller, database: Database, log: EventLog, stream: str
) -> tuple[StoredEvent, ...]:
    """Append an event to a new stream in a task whose caller is `who`."""
    caller.bind(who)
    return await database.write(log.append, stream, 0, [PLACED])


async def test_an_event_has_the_caller_of_its_own_write(database: Database, log: EventLog) -> None:
    """Writes of several callers that share a transaction keep their callers apart."""
    callers = {"ord_1": ALICE, "ord_2": ORDER, "ord_3": caller.UNKNOWN}
    async with asyncio.TaskGroup() as group:
        for stream, who in callers.items():
            group.create_task(append_as(who, database, log, stream))

    stored = await database.read(log.read_from, 0, 10)
    assert {event.stream: event.actor for event in stored} == {
        "ord_1": "person:alice",
        "ord_2": "service:order",
        "ord_3": "",
    }
    assert {event.instance_id for event in stored} == {"order-1"}


async def test_events_of_many_streams_have_the_caller_of_their_write(
    database: Database, log: EventLog
) -> None:
    """A write to many streams tells in each of them who made it."""

    async def append_each() -> tuple[StoredEvent, ...]:
        caller.bind(ALICE)
        appends = [StreamAppend(f"itm_{sku}", 0, [PLACED]) for sku in ("milk", "tea")]
        return await database.write(log.append_each, appends)

    stored = await asyncio.create_task(append_each())
    assert [event.actor for event in stored] == ["person:alice", "person:alice"]
    assert {event.instance_id for event in stored} == {"order-1"}
    assert await database.read(log.read_from, 0, 10) == stored


async def test_events_of_releases_before_have_no_actor_and_no_instance(
    databases: Databases, log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The migrations keep the events that exist, and neither is known of them."""
    for revision in CHASSIS_VERSIONS.glob("000[1-4]_*.py"):
        shutil.copy(revision, tmp_path)
    database = await Database.open(databases.url("new"), clock=SystemClock(), owner="test")
    with monkeypatch.context() as former_release:
        former_release.setattr(upgrade, "CHASSIS_VERSIONS", tmp_path)
        await database.migrate(tmp_path)
    await database.write(lambda connection: connection.exec_driver_sql(FORMER_EVENT).close())

    await database.migrate(CHASSIS_VERSIONS)

    (former,) = await database.read(log.read_from, 0, 10)
    assert (former.event_id, former.actor, former.instance_id) == ("evt_1", "", "")
    await database.close()


async def test_a_process_of_an_earlier_release_still_appends(
    database: Database, log: EventLog
) -> None:
    """While instances are replaced one by one, the old ones write to the new table."""
    await database.write(lambda connection: connection.exec_driver_sql(FORMER_EVENT).close())

    (former,) = await database.read(log.read_from, 0, 10)
    assert (former.actor, former.instance_id) == ("", "")
