"""Records refunds that somebody asked of payment directly, so that the order shows them.

The order's own refunds are skipped: the saga records their answers.
"""

from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection
from tradepost.event.v1.event_pb2 import Event
from tradepost.payment.v1.payment_event_pb2 import RefundSucceeded

from services.chassis.request.wire_values import from_money
from services.chassis.saga.model import step_id
from services.chassis.store.unit.change import AfterCommit
from services.order.domain.commands import RefundSeen
from services.order.domain.errors import OrderNotFoundError
from services.order.domain.state import Order
from services.order.domain.steps import REFUND_RETURN
from services.order.store.order_streams import LoadedOrder, OrderStreams
from services.order.store.recorder import OrderRecorder

# A consumer under another name would start at the beginning; what is recorded, it would skip.
CONSUMER = "order-refunds-of-payments"
TYPES = (RefundSucceeded.DESCRIPTOR.full_name,)


class RefundConsumer:
    """Applies one event of the payment feed; calls `after_commit` with an order that changed."""

    def __init__(
        self,
        *,
        streams: OrderStreams,
        recorder: OrderRecorder,
        after_commit: Callable[[LoadedOrder], None],
    ) -> None:
        self._streams = streams
        self._recorder = recorder
        self._after_commit = after_commit

    def __call__(self, connection: Connection, event: Event) -> AfterCommit | None:
        """Apply an event; a payment may be of no order. Raises DecodeError."""
        fact = RefundSucceeded.FromString(event.payload.value)
        try:
            before = self._streams.load(connection, fact.order_id)
        except OrderNotFoundError:
            return None
        if fact.request_id in _own_request_ids(before.order):
            return None
        amount = from_money(fact.amount)
        seen = RefundSeen(fact.refund_id, amount, fact.requester, fact.reason)
        after = self._recorder.record(connection, before, seen, causation_id=event.event_id)
        return None if after is before else partial(self._after_commit, after)


def _own_request_ids(order: Order) -> frozenset[str]:
    """Return the requests under which the return that is under way may have been refunded."""
    attempts = range(1, order.attempt_of(REFUND_RETURN) + 1)
    return frozenset(
        step_id(current.return_id, REFUND_RETURN, attempt)
        for current in order.pending_returns[:1]
        for attempt in attempts
    )
