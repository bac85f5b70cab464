"""Archives and removes aggregates that ended long ago: one instance at a time, batch after batch.

A batch is read without the writers' lock, archived and synced to the disk, and only then removed,
in one short write that checks the lease. A crash in between archives the batch again.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

import grpc
import structlog
from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.feed.feed_page import extent
from services.chassis.log.event_horizon import RETENTION
from services.chassis.log.event_log import EventLog
from services.chassis.retention import removal
from services.chassis.retention.archivable import Archivable, DueAggregate, DuePage, DueQuery
from services.chassis.retention.archive_line import to_line
from services.chassis.retention.archive_writer import ArchiveWriter
from services.chassis.retention.settings import FOLDER, Retention
from services.chassis.retention.slowest_consumer import (
    Confirmed,
    ConsumersUnknownError,
    SlowestConsumer,
)
from services.chassis.store.database import (
    Database,
    StoreOverloadedError,
    StoreUnavailableError,
)
from services.chassis.telemetry.error_text import describe
from services.chassis.work import lease_table
from services.chassis.work.driver import Driver
from services.chassis.work.lease import Claim, Leases

# Between two batches, so that callers' writes have their turn.
PAUSE_S = 0.05
# The lease is renewed after this share of its time; a page takes less than the rest.
_RENEW_SHARE = 1 / 3
# When the store doesn't answer at the start.
RETRY_S = 2.0

_LOG = structlog.get_logger(__name__)


class RetentionWorker:
    """Keeps the database of a service at what its retention keeps.

    Its lease row stays: a pass that has come to its end is due again after the interval.
    """

    def __init__(
        self,
        archivable: Archivable,
        retention: Retention,
        *,
        database: Database,
        log: EventLog,
        leases: Leases,
        clock: Clock,
        rng: random.Random,
        run_id: str,
    ) -> None:
        self._archivable = archivable
        self._retention = retention
        self._database = database
        self._log = log
        self._leases = leases
        self._clock = clock
        self._consumers = SlowestConsumer(archivable.service, retention.consumers)
        # How many aggregates this process has archived and removed.
        self.removed = 0
        self._archive = ArchiveWriter(retention.folder, service=archivable.service, run=run_id)
        self._driver = Driver(
            kind=RETENTION,
            database=database,
            leases=leases,
            clock=clock,
            rng=rng,
            drive=self._drive,
            max_running=1,
        )

    async def run(self) -> None:
        """Make passes until cancelled or drained; the owner's TaskGroup runs it."""
        while not await self._is_prepared():
            await self._clock.sleep(RETRY_S)
        await self._driver.run()

    async def drain(self) -> None:
        """Finish the current batch, and release the lease to any instance."""
        await self._driver.drain()

    async def _is_prepared(self) -> bool:
        """Make the lease row and the index, where they are not there yet; whether they are now."""
        try:
            with self._database.silence.long_statements():
                await self._database.write(self._prepare)
        except (StoreUnavailableError, StoreOverloadedError) as error:
            _LOG.warning("retention_waits", cause=str(error), effect="nothing is removed")
            return False
        return True

    def _prepare(self, connection: Connection) -> None:
        removal.create_index(connection)
        if self._leases.get(connection, RETENTION) is None:
            self._leases.open(connection, RETENTION, RETENTION, leased=False)

    async def _drive(self, claim: Claim) -> None:
        """Make one pass; log and try again after the interval what only an operator can mend."""
        error = ""
        try:
            await self._pass(claim)
        except ConsumersUnknownError as unknown:
            error = describe(unknown)
            _LOG.warning("retention_waits", cause=str(unknown), effect="nothing is removed")
        except OSError as failed:
            error = describe(failed)
            _LOG.error(
                "retention_stopped",
                folder=str(self._archive.folder),
                setting=FOLDER,
                cause=str(failed),
                retry_s=self._retention.interval_s,
            )
        await self._database.write(self._postpone, claim, error)

    def _postpone(self, connection: Connection, claim: Claim, error: str) -> None:
        delay_s = self._retention.interval_s
        self._leases.postpone(connection, claim, delay_s=delay_s, error=error)

    async def _pass(self, claim: Claim) -> None:
        """Archive and remove everything that is due. Raises OSError and ConsumersUnknownError."""
        feed = await self._database.read(extent, snapshot=False)
        confirmed = await self._consumers.confirmed(epoch=feed.epoch, head=feed.head)
        query = DueQuery(
            before=self._clock.now() - self._retention.keep,
            up_to_position=confirmed.position,
            limit=self._retention.batch,
        )
        removed, renewed_s = 0, self._clock.monotonic()
        while not self._driver.draining:
            page = await self._without_parent(await self._database.read(self._find, query))
            if self._clock.monotonic() - renewed_s > self._leases.lease_s * _RENEW_SHARE:
                # Pages of which nothing goes may follow each other for longer than the lease lasts.
                needs = (lease_table.need_of(RETENTION),)
                await self._database.write(self._leases.renew, claim, needs=needs)
                renewed_s = self._clock.monotonic()
            removed += await self._move(claim, page.due)
            if page.next_after is None:
                break
            query = query.going_on(page)
            await self._clock.sleep(PAUSE_S)
        if removed:
            self._report(removed, confirmed)

    def _find(self, connection: Connection, query: DueQuery) -> DuePage:
        if self._archivable.is_paused(connection):
            return DuePage((), None)
        return self._archivable.find_due(connection, query)

    async def _without_parent(self, page: DuePage) -> DuePage:
        """A page without those whose parent another service still has."""
        find_gone = self._archivable.find_gone
        if find_gone is None or not page.due:
            return page
        try:
            gone = await find_gone(sorted({each.parent for each in page.due}))
        except grpc.aio.AioRpcError as error:
            raise ConsumersUnknownError(f"{error.code().name}: {error.details()}") from error
        return replace(page, due=[each for each in page.due if each.parent in gone])

    async def _move(self, claim: Claim, due: Sequence[DueAggregate]) -> int:
        """Archive a batch, and then remove it; return how many aggregates are gone."""
        if not due:
            return 0
        now = self._clock.now()
        archived = await self._database.read(removal.archived_of, self._archivable, due, now)
        lines = [to_line(each) for each in archived]
        await asyncio.to_thread(self._archive.append, lines, now.date())
        needs = (
            *self._log.needs(*(each.subject for each in due)),
            lease_table.need_of(RETENTION),
        )
        removed = await self._database.write(self._remove, claim, due, needs=needs)
        self.removed += removed
        return removed

    def _remove(self, connection: Connection, claim: Claim, due: Sequence[DueAggregate]) -> int:
        self._leases.renew(connection, claim)
        return removal.remove(connection, self._archivable, self._log, due)

    def _report(self, removed: int, confirmed: Confirmed) -> None:
        _LOG.info(
            "retention_removed",
            number=removed,
            of=self._archivable.service,
            slowest_consumer=confirmed.by,
            confirmed_position=confirmed.position,
        )
