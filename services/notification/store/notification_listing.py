"""Lists notifications by filter, a page at a time."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Select, select, tuple_, union_all

from services.chassis.work.lease_table import NO_OWNER, of_subjects
from services.notification.domain.queries import NotificationFilter
from services.notification.domain.state import Notification, NotificationState, PendingDelivery
from services.notification.store.notifications import from_row
from services.notification.store.tables import NOTIFICATION

_C = NOTIFICATION.c
_SORT_KEY = (_C.create_time, _C.notification_id)


def list_notifications(
    connection: Connection, wanted: NotificationFilter
) -> tuple[Notification, ...]:
    """Read a page of notifications, and one row more where another page follows."""
    return tuple(from_row(row) for row in connection.execute(page(wanted)))


def with_deliveries(
    connection: Connection, notifications: Sequence[Notification]
) -> tuple[Notification, ...]:
    """Add to each that is PENDING how its delivery stands."""
    pending = NotificationState.PENDING
    leases = of_subjects(
        connection, [each.notification_id for each in notifications if each.state is pending]
    )
    deliveries = {
        subject: PendingDelivery(
            lease.attempts,
            lease.last_error,
            lease.next_attempt_time if lease.owner == NO_OWNER else None,
        )
        for subject, lease in leases.items()
    }
    return tuple(
        replace(each, pending_delivery=deliveries.get(each.notification_id))
        for each in notifications
    )


def page(wanted: NotificationFilter) -> Select[Any]:
    """The query of a page; it reads no more rows than the page, its order or its customer has."""
    states = sorted({int(state) for state in wanted.states})
    if wanted.order_id or wanted.customer_id:
        rows = _rows(wanted)
        if wanted.order_id:
            rows = rows.where(_C.order_id == wanted.order_id)
        if wanted.customer_id:
            rows = rows.where(_C.customer_id == wanted.customer_id)
        # The sum keeps the planner from the index on states, in which it would read all
        # notifications in these states.
        return rows.where((_C.state + 0).in_(states)) if states else rows
    if not states:
        return _rows(wanted)
    # Read a page from the index for each state and merge them, so that only these are sorted.
    keyed = [_rows(wanted).where(_C.state == state).subquery().select() for state in states]
    merged = union_all(*keyed).subquery()
    oldest_first = (merged.c.create_time, merged.c.notification_id)
    return select(merged).order_by(*oldest_first).limit(wanted.limit + 1)


def _rows(wanted: NotificationFilter) -> Select[Any]:
    rows = select(NOTIFICATION).order_by(*_SORT_KEY).limit(wanted.limit + 1)
    if wanted.after is not None:
        rows = rows.where(tuple_(*_SORT_KEY) > tuple_(*wanted.after))
    return rows
