"""How often a tailer reads a log in which others write all the time."""

import asyncio
import random

import pytest

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.chassis.log.event_log import EventLog, NewEvent
from services.chassis.log.poll_pace import QUIET_AFTER_POLLS, QUIET_POLLS
from services.chassis.log.tailer import Tailer
from services.chassis.store.database import Database
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import Databases, opened_database

PLACED = NewEvent(type="tradepost.order.v1.OrderPlaced", payload=b"")
POLL_S = 1.0
WRITES = 4 * QUIET_POLLS


@pytest.mark.parametrize("is_patient", [True, False])
async def test_changes_that_nobody_waits_for_urgently_are_looked_for_rarely(
    databases: Databases, *, is_patient: bool
) -> None:
    """Every poll reads a busy log only if it found changes that somebody waits for urgently."""
    clock, real = ManualClock(), SystemClock()
    log = EventLog(clock=real, ids=IdFactory(clock=real, rng=random.Random(7)))
    async with opened_database(databases, owner="other") as other:
        # One reader, so that reads end in their order.
        database = await Database.open(databases.url(), clock=real, owner="test", readers=1)
        tailer = Tailer(database=database, log=log, clock=clock, poll_s=POLL_S)
        following = asyncio.create_task(tailer.run())
        await clock.wait_for_sleepers()
        reached = set[int]()
        with tailer.watch(lambda _: True, is_patient=is_patient):
            for _ in range(QUIET_AFTER_POLLS):
                await clock.wait_for_sleepers()
                await clock.advance(POLL_S)
            for version in range(WRITES):
                await other.write(log.append, "ord_1", version, [PLACED])
                await clock.wait_for_sleepers()
                await clock.advance(POLL_S)
                await database.read(log.head)
                reached.add(tailer.position)
        following.cancel()
        await asyncio.wait({following})
        await database.close()
    assert (len(reached) > WRITES // 2) is not is_patient
