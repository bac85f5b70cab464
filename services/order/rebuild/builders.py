"""Fills the tables beside the live ones from the facts, up to a position and not beyond it.

Each step reads without the writers' lock and then writes a bounded batch. Nothing is kept but
the positions: a rebuild that dies begins anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select
from tradepost.event.v1 import event_service_pb2 as feed_rpc
from tradepost.event.v1.event_pb2 import Event
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceAsyncStub

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

# Events behind one write; an order has five or so, and most of them stand close together.
STEP_EVENTS = 500
# Payments behind one write: each of them counts.
STEP_PAYMENTS = 200

_TOUCHED = Prepared(
    select(EVENT.c.stream)
    .where(
        EVENT.c.position > bindparam("after_position"),
        EVENT.c.position <= bindparam("up_to_position"),
    )
    .distinct()
)
_FORGET = delete(NEXT_VIEW).where(NEXT_VIEW.c.order_id.in_(bindparam("of_orders", expanding=True)))
_ADD = Prepared(insert(NEXT_VIEW).inline())


@dataclass(frozen=True, slots=True)
class Step:
    """What to write next, and the position that it leads to."""

    position: int
    writes: Sequence[Any]


class OrderViewBuilder:
    """The list of orders, each folded from its stream as it stood at the step's position."""

    def __init__(self, streams: OrderStreams) -> None:
        self._streams = streams
        self.position = 0

    def read(self, connection: Connection, up_to: int) -> Step:
        """The next rows."""
        reaches = min(self.position + STEP_EVENTS, up_to)
        touched = _TOUCHED.all(connection, after_position=self.position, up_to_position=reaches)
        rows = [row_of(self._streams.as_of(connection, stream, reaches)) for (stream,) in touched]
        return Step(reaches, rows)

    def write(self, connection: Connection, step: Step) -> None:
        """Put the rows in the place of those that an earlier step wrote."""
        if not step.writes:
            return
        connection.execute(_FORGET, {"of_orders": [row["order_id"] for row in step.writes]})
        _ADD.change_each(connection, step.writes)


class OrderSummaryBuilder:
    """The summary's share of the order log."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._apply = OrderSummarizer(SummaryStore(NEXT_SUMMARY))
        self.position = 0

    def read(self, connection: Connection, up_to: int) -> Step:
        """The next facts."""
        stored = self._log.read_from(connection, self.position, STEP_EVENTS)
        seen = [each for each in stored if each.position <= up_to]
        facts = [to_event(each, "") for each in seen if each.type in ORDER_TYPES]
        return Step(seen[-1].position if seen else up_to, facts)

    def write(self, connection: Connection, step: Step) -> None:
        """Count them. Raises what a fact can be wrong with."""
        for event in step.writes:
            self._apply(connection, event)


class PaymentSummaryBuilder:
    """The summary's share of the payment feed."""

    def __init__(self, feed: EventFeedServiceAsyncStub) -> None:
        self._feed = feed
        self._apply = PaymentSummarizer(SummaryStore(NEXT_SUMMARY))
        self.position = 0

    async def fetch(self, up_to: int) -> Step:
        """The next facts. Raises grpc.aio.AioRpcError."""
        page = await self._feed.ReadEvents(
            feed_rpc.ReadEventsRequest(
                after_position=self.position, types=PAYMENT_TYPES, page_size=STEP_PAYMENTS
            )
        )
        facts: list[Event] = [event for event in page.events if event.position <= up_to]
        return Step(min(page.next_position, up_to), facts)

    def write(self, connection: Connection, step: Step) -> None:
        """Count them. Raises what a fact can be wrong with."""
        for event in step.writes:
            self._apply(connection, event)
