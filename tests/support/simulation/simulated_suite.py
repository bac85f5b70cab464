"""Order, payment and inventory in one process, moved step by step, in an order drawn at random.

Nothing runs by itself. `run_until_idle` takes one step after another until nothing is left to do:
a consumer reads its feed, pending work is driven, or the clock advances to what is due next.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection
from tradepost.event.v1.event_pb2 import Event

from services.chassis.consumer.inbox import Attempt, ConsumerPosition, Inbox
from services.chassis.feed.feed_page import FeedQuery, read_feed
from services.chassis.feed.wire import to_event
from services.chassis.request.errors import RequestIdReusedError
from services.chassis.store.unit.change import AfterCommit, Change
from services.chassis.telemetry.error_text import describe
from services.chassis.work.lease import LeaseRow, Leases
from services.inventory.checkout import consumer as inventory_consumer
from services.order.checkout import consumer as checkout_consumer
from services.order.checkout import participant_events, refund_consumer
from services.order.store.tables import CHECKOUT_LEASE
from services.payment.checkout import consumer as payment_consumer
from services.payment.store.payment_writes import LEASE_KIND
from tests.support.clock.manual_clock import ManualClock
from tests.support.order.scripted_failures import ProcessDiedError
from tests.support.simulation.dependencies import SimulationDependencies
from tests.support.simulation.simulated_inventory import SimulatedInventory
from tests.support.simulation.simulated_order import SimulatedOrderService
from tests.support.simulation.simulated_payment import SimulatedPayment

_MILLISECOND = timedelta(milliseconds=1)
_STEPS_MAX = 5_000
BATCH_MAX = 3


@dataclass(frozen=True)
class FeedSubscription:
    """A consumer, the service that runs it, the feed that it reads, and the types of its events."""

    consumer: str
    subscriber: str
    feed: str
    types: tuple[str, ...]


SUBSCRIPTIONS = (
    FeedSubscription(
        inventory_consumer.ORDER_CONSUMER, "inventory", "order", inventory_consumer.ORDER_TYPES
    ),
    FeedSubscription(
        inventory_consumer.PAYMENT_CONSUMER,
        "inventory",
        "payment",
        inventory_consumer.PAYMENT_TYPES,
    ),
    FeedSubscription(
        payment_consumer.RESERVATION_CONSUMER,
        "payment",
        "inventory",
        payment_consumer.RESERVATION_TYPES,
    ),
    FeedSubscription(
        payment_consumer.ORDER_CONSUMER, "payment", "order", payment_consumer.ORDER_TYPES
    ),
    FeedSubscription(
        checkout_consumer.RESERVATION_CONSUMER,
        "order",
        "inventory",
        participant_events.RESERVATION_TYPES,
    ),
    FeedSubscription(
        checkout_consumer.PAYMENT_CONSUMER, "order", "payment", participant_events.PAYMENT_TYPES
    ),
    FeedSubscription(refund_consumer.CONSUMER, "order", "payment", refund_consumer.TYPES),
)


class SimulatedSuite:
    """One instance of each service, and their subscriptions to each other."""

    def __init__(
        self,
        clock: ManualClock,
        dependencies: SimulationDependencies,
        *,
        orders: SimulatedOrderService,
        inventory: SimulatedInventory,
        payment: SimulatedPayment,
    ) -> None:
        self.orders = orders
        self.inventory = inventory
        self.payment = payment
        self.script = dependencies.script
        # Converts an event before its delivery; a test puts an older version in its place.
        self.convert_event: Callable[[Event], Event] = lambda event: event
        self._clock = clock
        self._dependencies = dependencies
        self._rng = dependencies.rng
        self._services: dict[str, SimulatedOrderService | SimulatedInventory | SimulatedPayment] = {
            service.name: service for service in (orders, inventory, payment)
        }
        # The events of each feed by type, and how many a consumer had read when nothing was new.
        self._events: Counter[tuple[str, str]] = Counter()
        self._read_counts: dict[str, int] = {}
        for name, service in self._services.items():
            service.database.on_changes(partial(self._count_events, name))

    async def run_until_idle(
        self, *, orders_first: bool = False, until_review: bool = False
    ) -> None:
        """Take steps until nothing is left to do.

        With `orders_first`, the order service applies every event before anything else happens.
        With `until_review`, orders that wait for an operator's review are left alone.
        """
        for _ in range(_STEPS_MAX):
            if await self._step(orders_first=orders_first):
                continue
            if not await self._advance(until_review=until_review):
                return
        raise AssertionError(f"the suite is not idle after {_STEPS_MAX} steps")

    async def rewind(self, consumers: Iterable[str]) -> None:
        """Put consumers back to the start of their feeds."""
        wanted = set(consumers)
        self._read_counts.clear()
        for subscription in SUBSCRIPTIONS:
            if subscription.consumer in wanted:
                database = self._services[subscription.subscriber].database
                inbox = self._inbox(subscription)
                reached = await database.read(inbox.reached)
                if reached is not None:
                    await database.write(inbox.move, ConsumerPosition(reached.epoch, 0))

    def _count_events(self, feed: str, changes: Sequence[Change]) -> None:
        self._events.update((feed, change.type) for change in changes)

    async def _step(self, *, orders_first: bool) -> bool:
        """Take one step that is possible now, drawn at random; False where there is none."""
        subscriptions = self._rng.sample(SUBSCRIPTIONS, len(SUBSCRIPTIONS))
        if orders_first:
            subscriptions.sort(key=lambda subscription: subscription.subscriber != "order")
        elif self._rng.random() < 0.5 and await self._drive():
            return True
        for subscription in subscriptions:
            if await self._read_feed(subscription):
                return True
        return await self._drive()

    async def _drive(self) -> bool:
        return await self.orders.drive_pending() or await self.payment.drive_pending()

    async def _read_feed(self, subscription: FeedSubscription) -> bool:
        """Apply a few events of a feed; False where there is none.

        A feed without new events since nothing was found is not read again, to save time.
        """
        limit = 1 if subscription.subscriber == "order" else self._rng.randint(1, BATCH_MAX)
        count = sum(self._events[subscription.feed, type_] for type_ in subscription.types)
        if self._read_counts.get(subscription.consumer) == count:
            return False
        reader = self._services[subscription.subscriber]
        source = self._services[subscription.feed]
        inbox = self._inbox(subscription)
        reached = await reader.database.read(inbox.reached)
        if reached is None:
            reached = ConsumerPosition(await source.database.read(source.log.epoch), 0)
            await reader.database.write(inbox.move, reached)
        query = FeedQuery(reached.position, limit, reached.epoch, subscription.types)
        page = await source.database.read(read_feed, query)
        if not page.events:
            self._read_counts[subscription.consumer] = count
            return False
        events = [
            self.convert_event(
                to_event(stored, feed=subscription.feed, epoch=page.epoch, aggregate_type="")
            )
            for stored in page.events
        ]
        apply = partial(inbox.apply, reached=reached, events=events)
        await self._apply(reader.crashing, apply, reader.restart)
        return True

    @staticmethod
    async def _apply(database: Any, apply: Callable[..., Any], restart: Callable[[], None]) -> None:
        """Apply events; one under whose request id something else was done is parked."""
        failures: dict[int, str] = {}
        while True:
            attempt = Attempt()
            write = partial(apply, failures=failures, attempt=attempt)
            try:
                await database.write(write, then=_call_back)
            except ProcessDiedError:
                restart()
            except RequestIdReusedError as error:
                assert attempt.event is not None
                failures[attempt.event.position] = describe(error)
                continue
            return

    async def advance(self, seconds: float) -> None:
        """Let time pass."""
        await self._clock.advance(seconds)

    async def _advance(self, *, until_review: bool) -> bool:
        """Advance the clock to what is due next, and claim it; False where no work is left."""
        rows = [
            *await self.orders.database.read(
                _leases, self.orders.parts.store.leases, CHECKOUT_LEASE
            ),
            *await self.payment.database.read(_leases, self.payment.leases, LEASE_KIND),
        ]
        if until_review:
            reviewed = {
                each.order_id for each in await self.orders.snapshots() if each.needs_review
            }
            rows = [row for row in rows if row.subject not in reviewed]
        if not rows:
            return False
        due = min(
            max(row.next_attempt_time, row.lease_expire_time if row.owner else row.open_time)
            for row in rows
        )
        await self._clock.advance(
            max(0.0, (due + _MILLISECOND - self._clock.now()).total_seconds())
        )
        await self.payment.claim_due()
        await self.orders.claim_due()
        return True

    def _inbox(self, subscription: FeedSubscription) -> Inbox:
        return Inbox(
            consumer=subscription.consumer,
            handler=self._services[subscription.subscriber].handlers[subscription.consumer],
            clock=self._clock,
            ids=self._dependencies.ids,
        )


def _leases(connection: Connection, leases: Leases, kind: str) -> tuple[LeaseRow, ...]:
    return leases.list(connection, kind=kind, limit=100)


def _call_back(after_commit: tuple[AfterCommit, ...]) -> None:
    for call_back in after_commit:
        call_back()
