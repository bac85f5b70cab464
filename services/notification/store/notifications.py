"""Statements on one notification."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from services.chassis.store.micros import from_micros, to_micros
from services.chassis.store.prepared import Prepared
from services.notification.domain.state import (
    CustomerMessage,
    Notification,
    NotificationState,
    Template,
)
from services.notification.store.tables import NOTIFICATION

_C = NOTIFICATION.c
_COLUMNS = tuple(_C.keys())
_of_notification = _C.notification_id == bindparam("of_notification")
_EXISTS = Prepared(
    select(_C.notification_id).where(
        _C.order_id == bindparam("of_order"),
        _C.template == bindparam("of_template"),
        _C.return_id == bindparam("of_return"),
    )
)
_ADD = Prepared(insert(NOTIFICATION).inline())
_GET = Prepared(select(NOTIFICATION).where(_of_notification))
_RECORD = Prepared(
    update(NOTIFICATION)
    .where(_of_notification)
    .values(
        state=bindparam("new_state"),
        error=bindparam("new_error"),
        send_time=bindparam("new_send_time"),
    )
)


def exists(connection: Connection, order_id: str, message: CustomerMessage) -> bool:
    """Whether the order has a notification of the message's subject, sent or not."""
    row = _EXISTS.first(
        connection,
        of_order=order_id,
        of_template=int(message.template),
        of_return=message.return_id,
    )
    return row is not None


def add(connection: Connection, notification: Notification) -> None:
    """Insert a notification that is yet to be sent."""
    _ADD.change(
        connection,
        notification_id=notification.notification_id,
        order_id=notification.order_id,
        template=int(notification.message.template),
        customer_id=notification.customer_id,
        recipient=notification.recipient,
        subject=notification.message.subject,
        body=notification.message.body,
        state=int(notification.state),
        error=notification.error,
        create_time=to_micros(notification.create_time),
        send_time=None,
        return_id=notification.message.return_id,
    )


def load(connection: Connection, notification_id: str) -> Notification:
    """Load one notification. Raises KeyError."""
    row = _GET.first(connection, of_notification=notification_id)
    if row is None:
        raise KeyError(notification_id)
    return from_row(row)


def record_outcome(
    connection: Connection,
    notification_id: str,
    state: NotificationState,
    *,
    now: datetime,
    error: str = "",
) -> None:
    """Update the state of a notification after its delivery; `now` is the time it was sent."""
    _RECORD.change(
        connection,
        of_notification=notification_id,
        new_state=int(state),
        new_error=error,
        new_send_time=to_micros(now) if state is NotificationState.SENT else None,
    )


def from_row(row: Sequence[Any]) -> Notification:
    """Convert a row that has all columns of the table, in its order."""
    column = dict(zip(_COLUMNS, row, strict=True))
    send_micros = column["send_time"]
    return Notification(
        notification_id=column["notification_id"],
        order_id=column["order_id"],
        customer_id=column["customer_id"],
        message=CustomerMessage(
            Template(column["template"]), column["subject"], column["body"], column["return_id"]
        ),
        recipient=column["recipient"],
        state=NotificationState(column["state"]),
        create_time=from_micros(column["create_time"]),
        send_time=None if send_micros is None else from_micros(send_micros),
        error=column["error"],
    )
