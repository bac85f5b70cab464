"""Lists notifications by filter, a page at a time."""

from sqlalchemy import Connection, select, tuple_

from services.notification.domain.queries import NotificationFilter
from services.notification.domain.state import Notification
from services.notification.store.notifications import from_row
from services.notification.store.tables import NOTIFICATION

_C = NOTIFICATION.c


def list_notifications(
    connection: Connection, wanted: NotificationFilter
) -> tuple[Notification, ...]:
    """Read a page of notifications, and one row more where another page follows."""
    rows = select(NOTIFICATION).order_by(_C.create_time, _C.notification_id).limit(wanted.limit + 1)
    if wanted.order_id:
        rows = rows.where(_C.order_id == wanted.order_id)
    if wanted.customer_id:
        rows = rows.where(_C.customer_id == wanted.customer_id)
    if wanted.states:
        rows = rows.where(_C.state.in_([int(state) for state in wanted.states]))
    if wanted.after is not None:
        rows = rows.where(tuple_(_C.create_time, _C.notification_id) > tuple_(*wanted.after))
    return tuple(from_row(row) for row in connection.execute(rows))
