"""What becomes of an order's event here: a brief that knows more, and perhaps a notification.

The notification is an intent, written with the position of the feed and leased to this instance;
the wake-up after the COMMIT starts the driver that sends it.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection
from tradepost.event.v1.event_pb2 import Event

from discovery.clock import Clock
from services.chassis.ids import IdFactory
from services.chassis.store.change import AfterCommit
from services.chassis.work.lease import Claim, Leases
from services.notification.domain.rules import Brief, Notice, Notification, State, evolve, notice
from services.notification.sending.port import address_of
from services.notification.store import notifications
from services.notification.wire.replies import to_fact

# The name of the consumer: another would begin anew, and find everybody told.
CONSUMER = "notification"
LEASE_KIND = "notification"
# Nobody waits for mail by the millisecond: fewer and larger batches cost much less.
GATHER = timedelta(milliseconds=50)


class OrderConsumer:
    """Applies one event of the order feed; `__call__` is what a subscription wants."""

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
        """Raises what an event can be wrong with: an unknown order, a payload that is none."""
        fact = to_fact(event)
        known = notifications.load_brief(connection, event.aggregate_id)
        brief = known or Brief(event.aggregate_id)
        newer = evolve(brief, fact)
        if newer != known:
            notifications.save_brief(connection, newer, is_new=known is None)
        told = notice(newer, fact)
        if told is None or notifications.was_told(connection, newer.order_id, told.template):
            return None
        return self._intend(connection, newer, told)

    def _intend(self, connection: Connection, brief: Brief, told: Notice) -> AfterCommit | None:
        notification = Notification(
            notification_id=self._new_id("ntf"),
            order_id=brief.order_id,
            customer_id=brief.customer_id,
            notice=told,
            recipient=address_of(brief.customer_id, self._customer_domain),
            state=State.PENDING,
            create_time=self._clock.now(),
        )
        notifications.add(connection, notification)
        leased = not self._is_draining()
        claim = self._leases.open(
            connection, notification.notification_id, LEASE_KIND, leased=leased
        )
        return partial(self._start, claim, notification) if leased else None
