"""A pass of the retention keeps its lease, however long it finds nothing to remove."""

import asyncio
import gzip
import random
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from discovery.clock import SystemClock
from services.chassis.ids import IdFactory
from services.chassis.log.event_horizon import RETENTION
from services.chassis.log.event_log import EventLog
from services.chassis.retention.archivable import Archivable, DueAggregate, DuePage, DueQuery
from services.chassis.retention.archive_writer import SUFFIX
from services.chassis.retention.settings import Retention
from services.chassis.retention.worker import PAUSE_S, RetentionWorker
from services.chassis.work.lease import Leases
from tests.support.chassis.event_source import append_to, new_event
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.store.databases import Databases, opened_database

LEASE_S = 1.0
# The pages before the one with something to remove take longer than two leases.
PAGES = round(2 * LEASE_S / PAUSE_S)
DUE = DueAggregate("ord_1", version=1, position=1, request_ids_of=("ord_1",))


class Finder:
    """Finds nothing for many pages, then the one aggregate that is due."""

    def __init__(self) -> None:
        self.page = 0

    def __call__(self, _: Connection, query: DueQuery) -> DuePage:
        self.page = 1 + (query.after or (0,))[0]
        return DuePage((), (self.page,)) if self.page <= PAGES else DuePage((DUE,), None)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that moves only when the test advances it."""
    return ManualClock()


async def test_no_other_instance_takes_over_a_long_pass(
    databases: Databases, clock: ManualClock, tmp_path: Path
) -> None:
    """One that did would begin at the first page, and so no pass would ever come to its end."""
    finder, log = Finder(), EventLog(clock=clock, ids=IdFactory(clock=clock, rng=random.Random(1)))
    async with opened_database(databases, clock=clock, lock_wait_s=3600) as database:
        await database.write(append_to, log, DUE.subject, [new_event("Placed")])
        ours, other = (
            Leases(owner=owner, clock=clock, rng=random.Random(owner), lease_s=LEASE_S)
            for owner in ("ours", "other")
        )
        worker = RetentionWorker(
            Archivable("shop", finder, ()),
            Retention(timedelta(days=1), tmp_path, ()),
            database=database,
            log=log,
            leases=ours,
            clock=clock,
            rng=random.Random(2),
            run_id="run_1",
        )
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(WAIT_S):
            while not worker.removed:
                await clock.advance(PAUSE_S)
                # Reads and writes take real time.
                await SystemClock().sleep(0.001)
                if finder.page:
                    assert await database.write(other.claim_due, RETENTION, 1) == ()
        await worker.drain()
        await running

    assert (finder.page, worker.removed) == (PAGES + 1, 1)
    assert len(archived(tmp_path)) == 1


def archived(folder: Path) -> list[str]:
    """All lines of an archive."""
    files = folder.rglob(f"*{SUFFIX}")
    return [
        line for file in files for line in gzip.decompress(file.read_bytes()).decode().splitlines()
    ]
