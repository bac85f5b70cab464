"""Records the events of participants in a choreographed checkout as the saga records answers.

So the streams of both kinds of order look the same. The order decides about the deadline, cancels
and the pivot; compensations, refunds and fulfillment are the saga runner's work.
"""

from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection
from tradepost.event.v1.event_pb2 import Event

from services.chassis.store.unit.change import AfterCommit
from services.chassis.store.unit.needs import Needs
from services.chassis.work.lease_table import need_of
from services.order.checkout import participant_events
from services.order.checkout.checkout_leases import CheckoutLeases, WrittenOrder
from services.order.store.order_streams import OrderStreams
from services.order.store.recorder import OrderRecorder

# The names of the consumers. A consumer under another name would start at the beginning.
RESERVATION_CONSUMER = "order-checkout-of-reservations"
PAYMENT_CONSUMER = "order-checkout-of-payments"


class CheckoutConsumer:
    """Applies one event of a participant; calls `after_commit` with each order that changed."""

    def __init__(
        self,
        *,
        streams: OrderStreams,
        recorder: OrderRecorder,
        leases: CheckoutLeases,
        after_commit: Callable[[WrittenOrder], None],
    ) -> None:
        self._streams = streams
        self._recorder = recorder
        self._leases = leases
        self._after_commit = after_commit

    def needs(self, event: Event) -> Needs:
        """Name what applying the event reads. Raises what applying it raises."""
        found = participant_events.read_event(event)
        if found is None:
            return ()
        return (need_of(found.order_id), *self._streams.needs_whole(found.order_id))

    def __call__(self, connection: Connection, event: Event) -> AfterCommit | None:
        """Apply an event; a late one, after a cancel or the deadline, changes nothing.

        Raises OrderNotFoundError, KeyError for a type that isn't subscribed, and DecodeError.
        """
        found = participant_events.read_event(event)
        if found is None:
            return None
        before = moved = self._streams.load(connection, found.order_id)
        for command in found.commands:
            moved = self._recorder.record(connection, moved, command, causation_id=event.event_id)
        if moved is before:
            return None
        return partial(self._after_commit, self._leases.after_report(connection, moved))
