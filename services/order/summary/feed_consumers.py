"""The facts that the customer summary is made of: of orders from our own feed, and of payments.

Each feed has a consumer of its own, with a position of its own. The summary lags behind both by
what their feeds gather, so that it costs a busy writer a few commits a second.
"""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection
from tradepost.event.v1.event_pb2 import Event
from tradepost.order.v1 import order_event_pb2
from tradepost.payment.v1 import payment_event_pb2

from services.chassis.store.change import AfterCommit
from services.order.domain import events
from services.order.summary.summary_store import SUMMARY, SummaryStore
from services.order.summary.totals import (
    Confirmed,
    MoneyMovement,
    OrderFact,
    Placed,
    RefundBegun,
    evolve,
)
from services.order.wire.events import type_of

# The names of the consumers: another would begin anew.
ORDER_CONSUMER = "order-summary-of-orders"
PAYMENT_CONSUMER = "order-summary-of-payments"
GATHER = timedelta(milliseconds=100)
MAX_BATCH = 200

_PLACED = type_of(events.OrderPlaced)
_FACTS: dict[str, OrderFact] = {
    type_of(events.OrderConfirmed): Confirmed(),
    type_of(events.RefundStarted): RefundBegun(),
}
# They change nothing here, but callers are told their positions: whoever asks for a summary of
# that position shall not wait for the next heartbeat.
_ENDINGS = tuple(
    type_of(kind)
    for kind in (
        events.OrderRejected,
        events.OrderCancelled,
        events.OrderFulfilled,
        events.OrderRefunded,
    )
)
ORDER_TYPES = (_PLACED, *_FACTS, *_ENDINGS)


class OrderSummarizer:
    """Applies one event of the order feed; `__call__` is what a subscription wants."""

    def __init__(self, store: SummaryStore = SUMMARY) -> None:
        self._store = store

    def __call__(self, connection: Connection, event: Event) -> AfterCommit | None:
        """Raises DecodeError for a payload that is none."""
        fact = _FACTS.get(event.type)
        if event.type == _PLACED:
            placed = order_event_pb2.OrderPlaced.FromString(event.payload.value)
            fact = Placed(placed.customer_id, event.occur_time.ToMicroseconds())
        if fact is None:
            return None
        known = self._store.order(connection, event.aggregate_id)
        newer = evolve(known, fact)
        if newer != known:
            self._store.learn(connection, known, newer)
        return None


def _captured(payload: bytes) -> MoneyMovement:
    said = payment_event_pb2.PaymentCaptured.FromString(payload)
    return MoneyMovement(
        said.order_id,
        said.payment_id,
        said.amount.currency_code,
        captured_minor=said.amount.minor_units,
    )


def _refunded(payload: bytes) -> MoneyMovement:
    said = payment_event_pb2.RefundSucceeded.FromString(payload)
    return MoneyMovement(
        said.order_id,
        said.refund_id,
        said.amount.currency_code,
        refunded_minor=said.amount.minor_units,
    )


_ENTRIES: dict[str, Callable[[bytes], MoneyMovement]] = {
    payment_event_pb2.PaymentCaptured.DESCRIPTOR.full_name: _captured,
    payment_event_pb2.RefundSucceeded.DESCRIPTOR.full_name: _refunded,
}
PAYMENT_TYPES = tuple(_ENTRIES)


class PaymentSummarizer:
    """Applies one event of the payment feed."""

    def __init__(self, store: SummaryStore = SUMMARY) -> None:
        self._store = store

    def __call__(self, connection: Connection, event: Event) -> AfterCommit | None:
        """Raises KeyError for a type that is not in `PAYMENT_TYPES`, and DecodeError."""
        self._store.enter(connection, _ENTRIES[event.type](event.payload.value))
        return None
