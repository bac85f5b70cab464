"""Briefs and notifications in their tables, inside the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, tuple_, update

from services.chassis.domain.money import Money
from services.chassis.store.micros import from_micros, to_micros
from services.chassis.store.prepared import Prepared
from services.notification.domain.rules import Brief, Notice, Notification, State, Template
from services.notification.store.tables import BRIEF, NOTIFICATION

_N = NOTIFICATION.c
_of_order = BRIEF.c.order_id == bindparam("of_order")
_GET_BRIEF = Prepared(
    select(BRIEF.c.customer_id, BRIEF.c.currency_code, BRIEF.c.minor_units, BRIEF.c.why).where(
        _of_order
    )
)
_ADD_BRIEF = Prepared(insert(BRIEF).inline())
_CHANGE_BRIEF = Prepared(
    update(BRIEF)
    .where(_of_order)
    .values(
        customer_id=bindparam("new_customer_id"),
        currency_code=bindparam("new_currency_code"),
        minor_units=bindparam("new_minor_units"),
        why=bindparam("new_why"),
    )
)
_TOLD = Prepared(
    select(_N.notification_id).where(
        _N.order_id == bindparam("of_order"), _N.template == bindparam("of_template")
    )
)
_ADD = Prepared(insert(NOTIFICATION).inline())
_GET = Prepared(select(NOTIFICATION).where(_N.notification_id == bindparam("of_notification")))
_SETTLE = Prepared(
    update(NOTIFICATION)
    .where(_N.notification_id == bindparam("of_notification"))
    .values(
        state=bindparam("new_state"),
        error=bindparam("new_error"),
        send_time=bindparam("new_send_time"),
    )
)
_NAMES = tuple(NOTIFICATION.c.keys())


@dataclass(frozen=True, slots=True)
class NotificationFilter:
    """At most `limit` notifications, the oldest first: everything that is unset matches.

    `after` is the sort key (create time in microseconds, notification id) of the last one seen.
    """

    limit: int
    order_id: str = ""
    customer_id: str = ""
    states: tuple[State, ...] = ()
    after: tuple[int, str] | None = None


def load_brief(connection: Connection, order_id: str) -> Brief | None:
    """What is known of an order; None where nothing is."""
    row = _GET_BRIEF.first(connection, of_order=order_id)
    if row is None:
        return None
    customer_id, currency_code, minor_units, why = row
    total = Money(currency_code, minor_units) if currency_code else None
    return Brief(order_id, customer_id, total, why)


def save_brief(connection: Connection, brief: Brief, *, is_new: bool) -> None:
    """Keep what is known of an order."""
    total = brief.total or Money("", 0)
    values = {
        "customer_id": brief.customer_id,
        "currency_code": total.currency_code,
        "minor_units": total.minor_units,
        "why": brief.why,
    }
    if is_new:
        _ADD_BRIEF.change(connection, order_id=brief.order_id, **values)
        return
    changed = {f"new_{name}": value for name, value in values.items()}
    _CHANGE_BRIEF.change(connection, of_order=brief.order_id, **changed)


def was_told(connection: Connection, order_id: str, template: Template) -> bool:
    """Whether the order has a notification of the template, sent or not."""
    return _TOLD.first(connection, of_order=order_id, of_template=int(template)) is not None


def add(connection: Connection, notification: Notification) -> None:
    """Write a notification that is to be sent."""
    _ADD.change(
        connection,
        notification_id=notification.notification_id,
        order_id=notification.order_id,
        template=int(notification.notice.template),
        customer_id=notification.customer_id,
        recipient=notification.recipient,
        subject=notification.notice.subject,
        body=notification.notice.body,
        state=int(notification.state),
        error=notification.error,
        create_time=to_micros(notification.create_time),
        send_time=None,
    )


def load(connection: Connection, notification_id: str) -> Notification:
    """One notification. Raises KeyError."""
    row = _GET.first(connection, of_notification=notification_id)
    if row is None:
        raise KeyError(notification_id)
    return _notification(row)


def settle(
    connection: Connection, notification_id: str, state: State, *, now: datetime, error: str = ""
) -> None:
    """Note what became of a notification."""
    _SETTLE.change(
        connection,
        of_notification=notification_id,
        new_state=int(state),
        new_error=error,
        new_send_time=to_micros(now) if state is State.SENT else None,
    )


def page(connection: Connection, wanted: NotificationFilter) -> tuple[Notification, ...]:
    """A page of notifications, and one more where others follow."""
    rows = select(NOTIFICATION).order_by(_N.create_time, _N.notification_id).limit(wanted.limit + 1)
    if wanted.order_id:
        rows = rows.where(_N.order_id == wanted.order_id)
    if wanted.customer_id:
        rows = rows.where(_N.customer_id == wanted.customer_id)
    if wanted.states:
        rows = rows.where(_N.state.in_([int(state) for state in wanted.states]))
    if wanted.after is not None:
        rows = rows.where(tuple_(_N.create_time, _N.notification_id) > tuple_(*wanted.after))
    return tuple(_notification(row) for row in connection.execute(rows))


def _notification(row: Sequence[Any]) -> Notification:
    column = dict(zip(_NAMES, row, strict=True))
    send_micros = column["send_time"]
    return Notification(
        notification_id=column["notification_id"],
        order_id=column["order_id"],
        customer_id=column["customer_id"],
        notice=Notice(Template(column["template"]), column["subject"], column["body"]),
        recipient=column["recipient"],
        state=State(column["state"]),
        create_time=from_micros(column["create_time"]),
        send_time=None if send_micros is None else from_micros(send_micros),
        error=column["error"],
    )
