"""A whole suite in one process, moved by hand: orders, stock and money, and the roads between.

Nothing runs by itself. `rest` lets one thing after another happen, in an order drawn by lot, until
nothing is left to do: a feed is read, a claim is driven, or time moves on to what is due next.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection
from tradepost.event.v1.event_pb2 import Event

from services.chassis.consumer.inbox import Attempt, ConsumerPosition, Inbox
from services.chassis.feed.feed_page import FeedQuery, read_feed
from services.chassis.feed.wire import to_event
from services.chassis.store.change import AfterCommit
from services.chassis.work.lease import LeaseRow, Leases
from services.inventory.checkout import consumer as stock_consumer
from services.order.checkout import consumer as checkout_consumer
from services.order.checkout import participant_events
from services.order.store.tables import CHECKOUT_LEASE
from services.payment.checkout import consumer as money_consumer
from services.payment.store.payment_writes import LEASE_KIND
from tests.support.clock.manual_clock import ManualClock
from tests.support.order.scripted_failures import ProcessDiedError
from tests.support.simulation.order_stepper import Counter
from tests.support.simulation.participants import Means, Money, Stock

_MOMENT = timedelta(milliseconds=1)
_ROUNDS_MAX = 5_000
BATCH_MAX = 3


@dataclass(frozen=True)
class Road:
    """Who reads whose feed, and which events of it."""

    consumer: str
    reader: str
    feed: str
    types: tuple[str, ...]


ROADS = (
    Road(stock_consumer.ORDER_CONSUMER, "inventory", "order", stock_consumer.ORDER_TYPES),
    Road(stock_consumer.PAYMENT_CONSUMER, "inventory", "payment", stock_consumer.PAYMENT_TYPES),
    Road(
        money_consumer.RESERVATION_CONSUMER,
        "payment",
        "inventory",
        money_consumer.RESERVATION_TYPES,
    ),
    Road(money_consumer.ORDER_CONSUMER, "payment", "order", money_consumer.ORDER_TYPES),
    Road(
        checkout_consumer.RESERVATION_CONSUMER,
        "order",
        "inventory",
        participant_events.RESERVATION_TYPES,
    ),
    Road(checkout_consumer.PAYMENT_CONSUMER, "order", "payment", participant_events.PAYMENT_TYPES),
)


class Village:
    """One house of each kind, and the roads between them."""

    def __init__(
        self, clock: ManualClock, means: Means, *, orders: Counter, stock: Stock, money: Money
    ) -> None:
        self.orders = orders
        self.stock = stock
        self.money = money
        self._clock = clock
        self._rng = means.rng
        self._means = means
        # What an event's reader gets; a test puts an older version of the event in its place.
        self.delivered: Callable[[Event], Event] = lambda event: event
        self.script = means.script
        self._houses: dict[str, Counter | Stock | Money] = {
            house.name: house for house in (orders, stock, money)
        }

    async def rest(self, *, attentive: bool = False) -> None:
        """Let things happen until nothing is left to do.

        Where orders are `attentive`, they hear of everything before anything else happens.
        """
        for _ in range(_ROUNDS_MAX):
            if not await self._happens(attentive=attentive) and not await self._time_passes():
                return
        raise AssertionError("the village does not come to rest")

    async def rewind(self, consumers: Iterable[str]) -> None:
        """Put consumers back to the beginning."""
        wanted = set(consumers)
        for road in ROADS:
            if road.consumer in wanted:
                database, inbox = self._houses[road.reader].database, self._inbox(road)
                reached = await database.read(inbox.reached)
                if reached is not None:
                    await database.write(inbox.move, ConsumerPosition(reached.epoch, 0))

    async def _happens(self, *, attentive: bool) -> bool:
        """One thing that can happen now, drawn by lot; False where there is none."""
        roads = self._rng.sample(ROADS, len(ROADS))
        if attentive:
            roads.sort(key=lambda road: road.reader != "order")
        elif self._rng.random() < 0.5 and await self._work():
            return True
        for road in roads:
            if await self._travel(road):
                return True
        return await self._work()

    async def _work(self) -> bool:
        return await self.orders.drive() or await self.money.drive_begun()

    async def _travel(self, road: Road) -> bool:
        """Apply a few events of a feed; False where there is none."""
        reader, source, inbox = (
            self._houses[road.reader],
            self._houses[road.feed],
            self._inbox(road),
        )
        reached = await reader.database.read(inbox.reached)
        if reached is None:
            reached = ConsumerPosition(await source.database.read(source.log.epoch), 0)
            await reader.database.write(inbox.move, reached)
        limit = 1 if road.reader == "order" else self._rng.randint(1, BATCH_MAX)
        query = FeedQuery(reached.position, limit, reached.epoch, road.types)
        page = await source.database.read(read_feed, source.log, query)
        if not page.events:
            return False
        events = [
            self.delivered(to_event(stored, feed=road.feed, epoch=page.epoch, aggregate_type=""))
            for stored in page.events
        ]
        apply = partial(inbox.apply, reached=reached, events=events, failures={}, attempt=Attempt())
        try:
            await reader.written.write(apply, then=_call_back)
        except ProcessDiedError:
            reader.enter()
        return True

    async def _time_passes(self) -> bool:
        """Move on to what is due next, and find it; False where nothing ever is."""
        rows = [
            *await self.orders.database.read(_leases, self.orders.parts.leases, CHECKOUT_LEASE),
            *await self.money.database.read(_leases, self.money.leases, LEASE_KIND),
        ]
        if not rows:
            return False
        due = min(
            max(row.next_attempt_time, row.lease_expire_time if row.owner else row.open_time)
            for row in rows
        )
        await self._clock.advance(max(0.0, (due + _MOMENT - self._clock.now()).total_seconds()))
        await self.money.claim_due()
        await self.orders.claim_due()
        return True

    def _inbox(self, road: Road) -> Inbox:
        return Inbox(
            consumer=road.consumer,
            handler=self._houses[road.reader].handlers[road.consumer],
            clock=self._clock,
            ids=self._means.ids,
        )


def _leases(connection: Connection, leases: Leases, kind: str) -> tuple[LeaseRow, ...]:
    return leases.list(connection, kind=kind, limit=100)


def _call_back(after_commit: tuple[AfterCommit, ...]) -> None:
    for call_back in after_commit:
        call_back()
