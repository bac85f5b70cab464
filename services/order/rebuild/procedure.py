"""Rebuilds `order_view` and the customer summary next to the live ones, compares, and swaps.

Instances go on serving. The new tables follow the live ones to the positions that these have
reached, and never beyond: at equal positions both must have equal rows, or the live ones are wrong.
The swap is one transaction, made when both are at the same positions. One rebuild runs at a time:
each of its writes checks its lease. Orders that the retention has removed are counted from its
archive; it removes none while that lease is there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, Table

from discovery.clock import Clock
from services.chassis.consumer.inbox import ConsumerPosition, Inbox
from services.chassis.log.event_horizon import horizon
from services.chassis.log.event_log import EventLog
from services.chassis.store.database import Database
from services.chassis.work.lease import Claim, Leases
from services.order.rebuild import checksums, shadow_tables
from services.order.rebuild.archive_counts import ArchiveCounts
from services.order.rebuild.builders import (
    BATCH_EVENTS,
    OrderSummaryBuilder,
    OrderViewBuilder,
    PaymentSummaryBuilder,
)
from services.order.rebuild.checksums import Checksum
from services.order.store.tables import ORDER_VIEW, REBUILD_LEASE
from services.order.summary.summary_tables import summary_tables

# After so many attempts at which the live tables had changed, the swap fails.
SWAPS_MAX = 100
SWAP_POLL_S = 0.02
_NOWHERE = ConsumerPosition("", 0)


class RebuildError(Exception):
    """The rebuild has stopped, and the read models are unchanged."""


@dataclass(frozen=True, slots=True)
class LivePositions:
    """The positions of the live tables: of the order log, and of the summary's two consumers."""

    head: int
    orders: ConsumerPosition
    payments: ConsumerPosition


@dataclass(frozen=True, slots=True)
class Comparison:
    """The checksums of one read model: of the live tables, and of the rebuilt ones."""

    name: str
    live: Checksum
    rebuilt: Checksum

    @property
    def equal(self) -> bool:
        return self.live == self.rebuilt


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """The result of a rebuild; `build_s` is the time until the new tables had caught up."""

    compared: tuple[Comparison, ...]
    swapped: bool
    event_count: int
    build_s: float


class Rebuild:
    """One rebuild; create another object for the next one."""

    def __init__(
        self,
        *,
        database: Database,
        log: EventLog,
        leases: Leases,
        clock: Clock,
        inboxes: tuple[Inbox, Inbox],
        builders: tuple[OrderViewBuilder, OrderSummaryBuilder, PaymentSummaryBuilder],
        archived: ArchiveCounts,
    ) -> None:
        self._database = database
        self._log = log
        self._leases = leases
        self._clock = clock
        self._orders, self._payments = inboxes
        self._view, self._order_summary, self._payment_summary = builders
        self._archived = archived
        self._epochs = ("", "")

    async def run(self, *, replace: bool = False) -> RebuildReport:
        """Rebuild, and swap if old and new tables have equal rows or `replace` is True.

        Raises RebuildError, StaleLeaseError, the store's errors, and grpc.aio.AioRpcError of the
        payment feed. At any time the live tables are either all old or all new.
        """
        claim = await self._database.write(self._take)
        if claim is None:
            raise RebuildError("another rebuild is running, or was interrupted seconds ago")
        began_s = self._clock.monotonic()
        await self._clear(claim)
        await self._write(claim, shadow_tables.create)
        await self._count_archived(claim)
        await self._catch_up(claim)
        built_s = self._clock.monotonic() - began_s
        compared = await self._compare(claim)
        swapped = replace or all(each.equal for each in compared)
        if swapped:
            await self._swap(claim)
        await self._clear(claim)
        await self._database.write(self._leases.close, claim)
        count = self._view.position + self._payment_summary.position
        return RebuildReport(compared, swapped, count, built_s)

    def _take(self, connection: Connection) -> Claim | None:
        if self._leases.get(connection, REBUILD_LEASE) is None:
            return self._leases.open(connection, REBUILD_LEASE, REBUILD_LEASE)
        return self._leases.claim(connection, REBUILD_LEASE)

    async def _clear(self, claim: Claim) -> None:
        for table in await self._database.read(shadow_tables.leftovers):
            while not await self._database.write(self._remove, claim, table):
                pass

    def _remove(self, connection: Connection, claim: Claim, table: Table) -> bool:
        self._leases.renew(connection, claim)
        return shadow_tables.remove(connection, table)

    async def _write(self, claim: Claim, function: Callable[[Connection], None]) -> None:
        def write(connection: Connection) -> None:
            self._leases.renew(connection, claim)
            function(connection)

        await self._database.write(write)

    async def _count_archived(self, claim: Claim) -> None:
        """Count the orders that are in the archive only; no order is removed meanwhile."""
        if not await self._database.read(horizon, snapshot=False):
            return
        if self._archived.folder is None:
            raise RebuildError(
                "orders were archived, and are counted from there: set TRADEPOST_RETENTION_FOLDER"
            )
        for batch in self._archived.batches():
            gone = await self._database.read(self._archived.gone, batch)
            await self._write(claim, partial(self._archived.count, batch=gone))

    async def _forget_archived(self, claim: Claim) -> None:
        """Forget what the live tables have forgotten: which archived orders were counted."""
        for batch in self._archived.counted():
            await self._write(claim, partial(self._archived.forget, order_ids=batch))

    async def _catch_up(self, claim: Claim) -> None:
        """Follow the live tables until they are at most one batch ahead."""
        begun = await self._database.read(self._live)
        self._epochs = (begun.orders.epoch, begun.payments.epoch)
        while True:
            live = await self._database.read(self._live)
            behind = max(
                live.head - self._view.position,
                live.orders.position - self._order_summary.position,
                live.payments.position - self._payment_summary.position,
            )
            await self._follow(claim, live)
            if behind <= BATCH_EVENTS:
                return

    def _live(self, connection: Connection) -> LivePositions:
        return LivePositions(
            self._log.head(connection),
            self._orders.reached(connection) or _NOWHERE,
            self._payments.reached(connection) or _NOWHERE,
        )

    async def _follow(self, claim: Claim, live: LivePositions) -> None:
        """Bring the new tables exactly to the positions of the live ones."""
        view, orders, payments = self._view, self._order_summary, self._payment_summary
        while view.position < live.head:
            rows = await self._database.read(view.read, live.head)
            await self._write(claim, partial(view.write, batch=rows))
            view.position = rows.position
        while orders.position < live.orders.position:
            events = await self._database.read(orders.read, live.orders.position)
            await self._write(claim, partial(orders.write, batch=events))
            orders.position = events.position
        if not payments.position:
            await self._begin_payments(claim)
        while payments.position < live.payments.position:
            events = await payments.fetch(live.payments.position)
            await self._write(claim, partial(payments.write, batch=events))
            payments.position = events.position

    async def _begin_payments(self, claim: Claim) -> None:
        """Count what the payment feed doesn't tell any more of orders that are still here."""
        payments, after = self._payment_summary, ""
        await payments.begin()
        if not payments.position:
            return
        while orders := await self._database.read(payments.read_orders, after):
            events = await payments.fetch_of(orders)
            await self._write(claim, partial(payments.write, batch=events))
            after = orders[-1].order_id

    async def _compare(self, claim: Claim) -> tuple[Comparison, ...]:
        """Compare both sides, each in one snapshot, at the same positions."""
        live, is_live = await self._database.read(self._sum_live)
        await self._follow(claim, live)
        await self._forget_archived(claim)
        rebuilt = await self._database.read(self._sum_next)
        names = ("order_view", "customer_summary")
        return tuple(map(Comparison, names, is_live, rebuilt))

    def _sum_live(self, connection: Connection) -> tuple[LivePositions, tuple[Checksum, Checksum]]:
        sums = (
            checksums.of_view(connection, ORDER_VIEW),
            checksums.of_summary(connection, summary_tables()),
        )
        return self._live(connection), sums

    def _sum_next(self, connection: Connection) -> tuple[Checksum, Checksum]:
        return (
            checksums.of_view(connection, shadow_tables.NEXT_VIEW),
            checksums.of_summary(connection, shadow_tables.NEXT_SUMMARY),
        )

    async def _swap(self, claim: Claim) -> None:
        for _ in range(SWAPS_MAX):
            live = await self._database.read(self._live)
            await self._follow(claim, live)
            if await self._database.write(self._try_swap, claim):
                return
            await self._clock.sleep(SWAP_POLL_S)
        raise RebuildError(f"the live tables had changed {SWAPS_MAX} times: try again")

    def _try_swap(self, connection: Connection, claim: Claim) -> bool:
        """Swap if both are at the same positions; the last few orders are added here first.

        This transaction holds the writers' lock, so the live tables cannot change meanwhile.
        """
        self._leases.renew(connection, claim)
        live = self._live(connection)
        if (live.orders.epoch, live.payments.epoch) != self._epochs:
            raise RebuildError("a feed has a new epoch: try again")
        reached = (self._order_summary.position, self._payment_summary.position)
        if (live.orders.position, live.payments.position) != reached:
            return False
        if live.head - self._view.position > BATCH_EVENTS:
            return False
        last = self._view.read(connection, live.head)
        self._view.write(connection, last)
        shadow_tables.swap(connection)
        return True
