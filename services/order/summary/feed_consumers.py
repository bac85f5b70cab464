"""Updates the customer summary from the service's own feed and from that of payment.

Each feed has its own consumer with its own position. Their subscriptions gather events for
`BATCH_WAIT`: so the summary lags by that much, and costs a busy writer few commits a second.
"""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection
from tradepost.event.v1.event_pb2 import Event
from tradepost.order.v1 import order_event_pb2
from tradepost.payment.v1 import payment_event_pb2

from services.chassis.store.unit.change import AfterCommit
from services.chassis.store.unit.needs import Needs
from services.order.domain import events
from services.order.summary.summary_store import SUMMARY, SummaryStore
from services.order.summary.totals import (
    Confirmed,
    GivenBack,
    MoneyMovement,
    OrderFact,
    Placed,
    Shipped,
    evolve,
)
from services.order.wire.events import type_of

# The names of the consumers. A consumer under another name would start at the beginning.
ORDER_CONSUMER = "order-summary-of-orders"
PAYMENT_CONSUMER = "order-summary-of-payments"
BATCH_WAIT = timedelta(milliseconds=100)
MAX_BATCH = 200

_PLACED = type_of(events.OrderPlaced)
_ORDER_FACTS: dict[str, OrderFact] = {
    type_of(events.OrderConfirmed): Confirmed(),
    type_of(events.RefundStarted): GivenBack(),
    type_of(events.OrderFulfilled): Shipped(),
    type_of(events.OrderReturned): GivenBack(),
}
# These events change no summary, but callers know their positions: a caller who asks for the
# summary as of such a position would else wait until the next heartbeat of the feed.
_ENDINGS = tuple(
    type_of(kind)
    for kind in (
        events.OrderRejected,
        events.OrderCancelled,
        events.OrderRefunded,
        events.ReturnCompleted,
    )
)
ORDER_TYPES = (_PLACED, *_ORDER_FACTS, *_ENDINGS)


class OrderSummarizer:
    """Applies events of the order feed."""

    def __init__(self, store: SummaryStore = SUMMARY) -> None:
        self._store = store

    def needs(self, event: Event) -> Needs:
        """Name what applying the event reads. Raises DecodeError."""
        customer_id = ""
        if event.type == _PLACED:
            customer_id = order_event_pb2.OrderPlaced.FromString(event.payload.value).customer_id
        return self._store.needs(event.aggregate_id, customer_id)

    def __call__(self, connection: Connection, event: Event) -> AfterCommit | None:
        """Apply an event. Raises DecodeError for an invalid payload."""
        fact = _ORDER_FACTS.get(event.type)
        if event.type == _PLACED:
            placed = order_event_pb2.OrderPlaced.FromString(event.payload.value)
            fact = Placed(placed.customer_id, event.occur_time.ToMicroseconds())
        if fact is None:
            return None
        known = self._store.order(connection, event.aggregate_id)
        newer = evolve(known, fact)
        if newer != known:
            self._store.update(connection, known, newer)
        return None


def _captured(payload: bytes) -> MoneyMovement:
    event = payment_event_pb2.PaymentCaptured.FromString(payload)
    return MoneyMovement(
        event.order_id,
        event.payment_id,
        event.amount.currency_code,
        captured_minor=event.amount.minor_units,
    )


def _refunded(payload: bytes) -> MoneyMovement:
    event = payment_event_pb2.RefundSucceeded.FromString(payload)
    return MoneyMovement(
        event.order_id,
        event.refund_id,
        event.amount.currency_code,
        refunded_minor=event.amount.minor_units,
    )


_MOVEMENTS: dict[str, Callable[[bytes], MoneyMovement]] = {
    payment_event_pb2.PaymentCaptured.DESCRIPTOR.full_name: _captured,
    payment_event_pb2.RefundSucceeded.DESCRIPTOR.full_name: _refunded,
}
PAYMENT_TYPES = tuple(_MOVEMENTS)


class PaymentSummarizer:
    """Applies events of the payment feed."""

    def __init__(self, store: SummaryStore = SUMMARY) -> None:
        self._store = store

    def needs(self, event: Event) -> Needs:
        """Name what applying the event reads. Raises what applying it raises."""
        return self._store.needs(_MOVEMENTS[event.type](event.payload.value).order_id)

    def __call__(self, connection: Connection, event: Event) -> AfterCommit | None:
        """Apply an event. Raises KeyError for a type outside `PAYMENT_TYPES`, and DecodeError."""
        self._store.add(connection, _MOVEMENTS[event.type](event.payload.value))
        return None
