"""Records what the participants of a choreographed checkout say, as the saga records answers.

So both kinds of order have streams of one shape. The order keeps the deadline, the cancel and the
pivot to itself; whatever has to be let go, sent back or fulfilled is the saga runner's work.
"""

from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection
from tradepost.event.v1.event_pb2 import Event

from services.chassis.store.change import AfterCommit
from services.order.api.order_writes import OrderWrites, WrittenOrder
from services.order.checkout import facts
from services.order.store.order_streams import OrderStreams
from services.order.store.recorder import Recorder

# The names of the consumers: another would begin anew.
RESERVATION_CONSUMER = "order-checkout-of-reservations"
PAYMENT_CONSUMER = "order-checkout-of-payments"


class CheckoutConsumer:
    """Applies one fact of a participant; `go_on` is told of every order that was moved."""

    def __init__(
        self,
        *,
        store: OrderStreams,
        recorder: Recorder,
        orders: OrderWrites,
        go_on: Callable[[WrittenOrder], None],
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._orders = orders
        self._go_on = go_on

    def __call__(self, connection: Connection, event: Event) -> AfterCommit | None:
        """What an order has left behind is ignored: a cancel or the deadline may have come first.

        Raises OrderNotFoundError, KeyError for a type that isn't subscribed, and DecodeError.
        """
        told = facts.read(event)
        if told is None:
            return None
        before = moved = self._store.load(connection, told.order_id)
        for command in told.commands:
            moved = self._recorder.record(connection, moved, command, causation_id=event.event_id)
        if moved is before:
            return None
        return partial(self._go_on, self._orders.go_on(connection, moved))
