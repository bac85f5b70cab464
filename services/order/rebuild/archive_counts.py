"""Counts orders that the retention has removed, from its archive, in the summary of a rebuild.

They were counted when their events arrived, and the totals keep them. Which orders and payments
were counted is forgotten with them, so a rebuild forgets it, too, once it has followed both feeds.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection

from services.chassis.log.event_log import EventLog
from services.chassis.retention.archive_line import ArchivedAggregate
from services.chassis.retention.archive_reader import read_archive
from services.order.rebuild.shadow_tables import NEXT_SUMMARY
from services.order.retention.archived_order import SERVICE, events_of
from services.order.summary.feed_consumers import ORDER_TYPES, OrderSummarizer
from services.order.summary.summary_store import SummaryStore
from services.order.summary.totals import MoneyMovement
from services.order.wire.replies import to_event

BATCH_ORDERS = 100


class ArchiveCounts:
    """The orders in the archive `folder`; None where nothing was archived."""

    def __init__(self, folder: Path | None, log: EventLog) -> None:
        self.folder = folder
        self._log = log
        self._store = SummaryStore(NEXT_SUMMARY)
        self._apply = OrderSummarizer(self._store)
        self._counted: list[str] = []

    def batches(self) -> Iterator[Sequence[ArchivedAggregate]]:
        """Read the archive. Raises ArchiveDamagedError and OSError."""
        if self.folder is None:
            return
        archived = read_archive(self.folder, SERVICE)
        while batch := tuple(islice(archived, BATCH_ORDERS)):
            yield batch

    def gone(
        self, connection: Connection, batch: Sequence[ArchivedAggregate]
    ) -> Sequence[ArchivedAggregate]:
        """Those of the orders that were removed after they were archived."""
        kept = self._log.read_streams(connection, [each.subject for each in batch])
        return tuple(each for each in batch if each.subject not in kept)

    def count(self, connection: Connection, batch: Sequence[ArchivedAggregate]) -> None:
        """Count the orders and their money."""
        for archived in batch:
            for event in events_of(archived):
                if event.type in ORDER_TYPES:
                    self._apply(connection, to_event(event, ""))
            for row in archived.rows["summary_payment"]:
                self._store.add(connection, MoneyMovement(**row))
        self._counted += [each.subject for each in batch]

    def counted(self) -> Iterator[Sequence[str]]:
        """The ids of the orders that were counted, in batches."""
        ids = iter(self._counted)
        while batch := tuple(islice(ids, BATCH_ORDERS)):
            yield batch

    def forget(self, connection: Connection, order_ids: Sequence[str]) -> None:
        """Forget which of them were counted."""
        self._store.forget(connection, order_ids)
