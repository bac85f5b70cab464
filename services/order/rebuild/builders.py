"""Fills the tables of a rebuild from the events, up to a position and not beyond it.

Each batch is read without the writers' lock and then written in a bounded transaction. The
positions are kept in memory only: a rebuild that is interrupted starts again from the beginning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from sqlalchemy import Connection, bindparam, delete, insert, select
from tradepost.event.v1 import event_service_pb2 as feed_rpc
from tradepost.event.v1.event_pb2 import Event
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceAsyncStub
from tradepost.order.v1.order_pb2 import Order

from services.chassis.log.event_log import EVENT, EventLog
from services.chassis.store.prepared import Prepared
from services.order.rebuild.shadow_tables import NEXT_SUMMARY, NEXT_VIEW
from services.order.store.order_streams import OrderStreams
from services.order.store.order_view import row_of
from services.order.summary.feed_consumers import (
    ORDER_TYPES,
    PAYMENT_TYPES,
    OrderSummarizer,
    PaymentSummarizer,
)
from services.order.summary.summary_store import SummaryStore
from services.order.wire.replies import to_event

# Events of one batch. An order has about five, and most of them are close together in the log.
BATCH_EVENTS = 500
# Payments of one batch: each of them is one change to the summary.
BATCH_PAYMENTS = 200

_TOUCHED = Prepared(
    select(EVENT.c.stream)
    .where(
        EVENT.c.position > bindparam("after_position"),
        EVENT.c.position <= bindparam("up_to_position"),
    )
    .distinct()
)
_ORDERS = Prepared(
    select(NEXT_VIEW.c.message)
    .where(NEXT_VIEW.c.order_id > bindparam("after"))
    .order_by(NEXT_VIEW.c.order_id)
    .limit(bindparam("row_limit"))
)
_DELETE = delete(NEXT_VIEW).where(NEXT_VIEW.c.order_id.in_(bindparam("of_orders", expanding=True)))
_ADD = Prepared(insert(NEXT_VIEW).inline())


T = TypeVar("T")
ViewRow: TypeAlias = dict[str, object]


@dataclass(frozen=True, slots=True)
class Batch(Generic[T]):
    """The rows or events to write next, and the position that this reaches."""

    position: int
    writes: Sequence[T]


class OrderViewBuilder:
    """Builds the list of orders: each order as of the batch's position, from its stream."""

    def __init__(self, streams: OrderStreams) -> None:
        self._streams = streams
        self.position = 0

    def read(self, connection: Connection, up_to: int) -> Batch[ViewRow]:
        """Read the next rows."""
        reached = min(self.position + BATCH_EVENTS, up_to)
        touched = _TOUCHED.all(connection, after_position=self.position, up_to_position=reached)
        rows = [row_of(self._streams.as_of(connection, stream, reached)) for (stream,) in touched]
        return Batch(reached, rows)

    def write(self, connection: Connection, batch: Batch[ViewRow]) -> None:
        """Replace the rows of these orders that an earlier batch wrote."""
        if not batch.writes:
            return
        connection.execute(_DELETE, {"of_orders": [row["order_id"] for row in batch.writes]})
        _ADD.change_each(connection, batch.writes)


class OrderSummaryBuilder:
    """Builds the part of the summary that comes from the order log."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._apply = OrderSummarizer(SummaryStore(NEXT_SUMMARY))
        self.position = 0

    def read(self, connection: Connection, up_to: int) -> Batch[Event]:
        """Read the next events."""
        stored = self._log.read_from(connection, self.position, BATCH_EVENTS)
        seen = [each for each in stored if each.position <= up_to]
        events = [to_event(each, "") for each in seen if each.type in ORDER_TYPES]
        return Batch(seen[-1].position if seen else up_to, events)

    def write(self, connection: Connection, batch: Batch[Event]) -> None:
        """Count the events. Raises what a summarizer raises for an invalid event."""
        for event in batch.writes:
            self._apply(connection, event)


class PaymentSummaryBuilder:
    """Builds the part of the summary that comes from the payment feed.

    A retention may have removed events at the beginning of the feed. It follows from where on
    nothing is missing; what came before is read payment by payment, for the orders in the view.
    """

    def __init__(self, feed: EventFeedServiceAsyncStub) -> None:
        self._feed = feed
        self._apply = PaymentSummarizer(SummaryStore(NEXT_SUMMARY))
        self.position = 0

    async def begin(self) -> None:
        """Begin where the feed begins. Raises grpc.aio.AioRpcError."""
        feed = await self._feed.GetFeed(feed_rpc.GetFeedRequest())
        self.position = max(0, feed.oldest_position - 1)

    def read_orders(self, connection: Connection, after: str) -> Sequence[Order]:
        """Read the next orders of the rebuilt view, by their id."""
        rows = _ORDERS.all(connection, after=after, row_limit=BATCH_PAYMENTS)
        return [Order.FromString(message) for (message,) in rows]

    async def fetch_of(self, orders: Sequence[Order]) -> Batch[Event]:
        """Read the events of these orders' payments up to the beginning of the feed.

        Raises grpc.aio.AioRpcError.
        """
        events: list[Event] = []
        for order in orders:
            if order.payment_id:
                request = feed_rpc.ReadEventsRequest(
                    aggregate_id=order.payment_id, types=PAYMENT_TYPES, allow_unknown=True
                )
                events += (await self._feed.ReadEvents(request)).events
        return Batch(self.position, [each for each in events if each.position <= self.position])

    async def fetch(self, up_to: int) -> Batch[Event]:
        """Read the next events. Raises grpc.aio.AioRpcError."""
        page = await self._feed.ReadEvents(
            feed_rpc.ReadEventsRequest(
                after_position=self.position,
                types=PAYMENT_TYPES,
                page_size=BATCH_PAYMENTS,
                allow_unknown=True,  # this service may be newer than the payment service
            )
        )
        events: list[Event] = [event for event in page.events if event.position <= up_to]
        return Batch(min(page.next_position, up_to), events)

    def write(self, connection: Connection, batch: Batch[Event]) -> None:
        """Count the events. Raises what a summarizer raises for an invalid event."""
        for event in batch.writes:
            self._apply(connection, event)
