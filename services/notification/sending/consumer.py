"""Applies the events of the order feed: updates the order's details and writes notifications.

A notification is written in the transaction that stores the position in the feed, with a lease
for this instance. After the COMMIT, its delivery is started.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection
from tradepost.event.v1.event_pb2 import Event

from discovery.clock import Clock
from services.chassis.ids import IdFactory
from services.chassis.store.unit.change import AfterCommit
from services.chassis.work.lease import Claim, Leases
from services.notification.domain.rules import decide, evolve
from services.notification.domain.state import (
    CustomerMessage,
    Notification,
    NotificationState,
    OrderDetails,
)
from services.notification.sending.mime import customer_address
from services.notification.store import notifications, order_details
from services.notification.wire.events import from_event

# Another name would begin at the start of the feed; the notifications that exist would prevent
# that any is written twice.
CONSUMER = "notification"
LEASE_KIND = "notification"
# How long the feed may collect events for one batch. An email may be 50 ms late, and fewer and
# larger batches cost much less.
BATCH_WAIT = timedelta(milliseconds=50)


class OrderConsumer:
    """Applies one event of the order feed; `__call__` is the handler of a subscription.

    `start` is called after the COMMIT with each notification that was written under a lease. While
    `is_draining`, notifications are written without a lease, for another instance.
    """

    def __init__(
        self,
        *,
        leases: Leases,
        clock: Clock,
        ids: IdFactory,
        customer_domain: str,
        is_draining: Callable[[], bool],
        start: Callable[[Claim, Notification], None],
    ) -> None:
        self._leases = leases
        self._clock = clock
        self._new_id = ids.new
        self._customer_domain = customer_domain
        self._is_draining = is_draining
        self._start = start

    def __call__(self, connection: Connection, event: Event) -> AfterCommit | None:
        """Apply an event. Raises UnknownOrderError, and DecodeError for a malformed payload."""
        order_event = from_event(event)
        known = order_details.load(connection, event.aggregate_id)
        order = evolve(known or OrderDetails(event.aggregate_id), order_event)
        if order != known:
            order_details.save(connection, order, is_new=known is None)
        message = decide(order, order_event)
        if message is None:
            return None
        if notifications.exists(connection, order.order_id, message):
            return None
        return self._write(connection, order, message)

    def _write(
        self, connection: Connection, order: OrderDetails, message: CustomerMessage
    ) -> AfterCommit | None:
        notification = Notification(
            notification_id=self._new_id("ntf"),
            order_id=order.order_id,
            customer_id=order.customer_id,
            message=message,
            recipient=customer_address(order.customer_id, self._customer_domain),
            state=NotificationState.PENDING,
            create_time=self._clock.now(),
        )
        notifications.add(connection, notification)
        leased = not self._is_draining()
        claim = self._leases.open(
            connection, notification.notification_id, LEASE_KIND, leased=leased
        )
        return partial(self._start, claim, notification) if leased else None
