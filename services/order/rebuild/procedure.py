"""Builds `order_view` and the customer summary anew beside the live ones, compares, and swaps.

Orders flow meanwhile. The new tables follow the live ones to the positions that those have
reached, never beyond; there both say the same or somebody is wrong, and the facts are not. The
swap is one transaction that finds new and live at the same positions. One rebuild runs at a time:
each of its writes checks its lease.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, Table

from discovery.clock import Clock
from services.chassis.consumer.inbox import ConsumerPosition, Inbox
from services.chassis.log.event_log import EventLog
from services.chassis.store.database import Database
from services.chassis.work.lease import Claim, Leases
from services.order.rebuild import checksums, shadow_tables
from services.order.rebuild.builders import (
    STEP_EVENTS,
    OrderSummaryBuilder,
    OrderViewBuilder,
    PaymentSummaryBuilder,
    Step,
)
from services.order.rebuild.checksums import Checksum
from services.order.store.tables import ORDER_VIEW
from services.order.summary.summary_tables import summary_tables

LEASE_KIND = SUBJECT = "rebuild"
# How often the swap finds that the live tables have moved on before it gives up.
SWAPS_MAX = 100
SWAP_POLL_S = 0.02
_NOWHERE = ConsumerPosition("", 0)


class RebuildError(Exception):
    """The read models stay as they are."""


@dataclass(frozen=True, slots=True)
class LivePositions:
    """How far the live tables have come: the order log, and the two consumers of the summary."""

    head: int
    orders: ConsumerPosition
    payments: ConsumerPosition


@dataclass(frozen=True, slots=True)
class Comparison:
    """One read model: as it is, and as the facts say."""

    name: str
    live: Checksum
    rebuilt: Checksum

    @property
    def equal(self) -> bool:
        return self.live == self.rebuilt


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What came of it; `build_s` is how long it took until the new tables had caught up."""

    compared: tuple[Comparison, ...]
    swapped: bool
    event_count: int
    build_s: float


class Rebuild:
    """One rebuild; make a new one for each."""

    def __init__(
        self,
        *,
        database: Database,
        log: EventLog,
        leases: Leases,
        clock: Clock,
        inboxes: tuple[Inbox, Inbox],
        builders: tuple[OrderViewBuilder, OrderSummaryBuilder, PaymentSummaryBuilder],
    ) -> None:
        self._database = database
        self._log = log
        self._leases = leases
        self._clock = clock
        self._orders, self._payments = inboxes
        self._view, self._order_facts, self._payment_facts = builders
        self._epochs = ("", "")

    async def run(self, *, replace: bool = False) -> RebuildReport:
        """Swap where both say the same, or where `replace` says that the facts are right.

        Raises RebuildError, StaleLeaseError, the store's errors, and grpc.aio.AioRpcError of the
        payment feed. The live tables are the old ones or the new ones, never anything between.
        """
        claim = await self._database.write(self._take)
        if claim is None:
            raise RebuildError("another rebuild is running, or died seconds ago")
        began_s = self._clock.monotonic()
        await self._clear(claim)
        await self._write(claim, shadow_tables.create)
        await self._catch_up(claim)
        built_s = self._clock.monotonic() - began_s
        compared = await self._compare(claim)
        swapped = replace or all(each.equal for each in compared)
        if swapped:
            await self._swap(claim)
        await self._clear(claim)
        await self._database.write(self._leases.close, claim)
        count = self._view.position + self._payment_facts.position
        return RebuildReport(compared, swapped, count, built_s)

    def _take(self, connection: Connection) -> Claim | None:
        if self._leases.get(connection, SUBJECT) is None:
            return self._leases.open(connection, SUBJECT, LEASE_KIND)
        return self._leases.claim(connection, SUBJECT)

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

    async def _catch_up(self, claim: Claim) -> None:
        """Follow until no more than a step is left to do."""
        begun = await self._database.read(self._live)
        self._epochs = (begun.orders.epoch, begun.payments.epoch)
        while True:
            live = await self._database.read(self._live)
            behind = max(
                live.head - self._view.position,
                live.orders.position - self._order_facts.position,
                live.payments.position - self._payment_facts.position,
            )
            await self._follow(claim, live)
            if behind <= STEP_EVENTS:
                return

    def _live(self, connection: Connection) -> LivePositions:
        return LivePositions(
            self._log.head(connection),
            self._orders.reached(connection) or _NOWHERE,
            self._payments.reached(connection) or _NOWHERE,
        )

    async def _follow(self, claim: Claim, live: LivePositions) -> None:
        """Bring the new tables exactly to where the live ones were."""
        view, orders, payments = self._view, self._order_facts, self._payment_facts
        while view.position < live.head:
            step = await self._database.read(view.read, live.head)
            await self._write(claim, partial(view.write, step=step))
            view.position = step.position
        while orders.position < live.orders.position:
            step = await self._database.read(orders.read, live.orders.position)
            await self._write(claim, partial(orders.write, step=step))
            orders.position = step.position
        while payments.position < live.payments.position:
            step = await payments.fetch(live.payments.position)
            await self._write(claim, partial(payments.write, step=step))
            payments.position = step.position

    async def _compare(self, claim: Claim) -> tuple[Comparison, ...]:
        """Both sides, each in one snapshot, at the same positions."""
        live, is_live = await self._database.read(self._sum_live)
        await self._follow(claim, live)
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
        raise RebuildError(f"the live tables had moved on {SWAPS_MAX} times: try again")

    def _try_swap(self, connection: Connection, claim: Claim) -> bool:
        """Nobody writes meanwhile: the last orders are added here, where they are few."""
        self._leases.renew(connection, claim)
        live = self._live(connection)
        if (live.orders.epoch, live.payments.epoch) != self._epochs:
            raise RebuildError("a feed began a new history meanwhile: try again")
        reached = (self._order_facts.position, self._payment_facts.position)
        if (live.orders.position, live.payments.position) != reached:
            return False
        if live.head - self._view.position > STEP_EVENTS:
            return False
        last: Step = self._view.read(connection, live.head)
        self._view.write(connection, last)
        shadow_tables.swap(connection)
        return True
