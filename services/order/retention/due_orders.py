"""Finds orders that ended long ago, for the retention; the rows that belong to an order.

An order that waits for an operator, or whose money is not counted in the summary, stays.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import Connection, bindparam, func, select
from tradepost.order.v1 import order_pb2

from discovery.clock import Clock
from services.chassis.consumer.inbox import SUBSCRIPTION
from services.chassis.retention.archivable import (
    Archivable,
    DueAggregate,
    DuePage,
    DueQuery,
    OwnedRows,
)
from services.chassis.retention.due_rows import DueRows
from services.chassis.store.micros import to_micros
from services.chassis.work import lease_table
from services.order.domain.state import FINAL
from services.order.store.tables import ORDER_VIEW, REBUILD_LEASE
from services.order.summary.feed_consumers import PAYMENT_CONSUMER
from services.order.summary.summary_tables import summary_tables

# A rebuild renews its lease with each write, but a sum over a large table takes longer than that. A
# rebuild that died keeps orders for so long, or until somebody starts it again.
REBUILD_MAX = timedelta(hours=1)

_SUMMARY = summary_tables()
_MONEY = _SUMMARY.payments.c
_ROWS = DueRows(
    state=ORDER_VIEW.c.state,
    states=tuple(sorted(int(state) for state in FINAL)),
    create_time=ORDER_VIEW.c.create_time,
    key=ORDER_VIEW.c.order_id,
    columns=(ORDER_VIEW.c.position, ORDER_VIEW.c.message),
)
# The final states of orders whose payment was captured.
_PAID = frozenset(
    {
        order_pb2.ORDER_STATE_FULFILLED,
        order_pb2.ORDER_STATE_REFUNDED,
        order_pb2.ORDER_STATE_RETURNED,
    }
)
_CAPTURED, _REFUNDED = func.sum(_MONEY.captured_minor), func.sum(_MONEY.refunded_minor)
_COUNTED = (
    select(_MONEY.order_id, _CAPTURED, _REFUNDED)
    .where(_MONEY.order_id.in_(bindparam("of_orders", expanding=True)))
    .group_by(_MONEY.order_id)
)
_FOLLOWS = select(SUBSCRIPTION.c.position).where(SUBSCRIPTION.c.consumer == PAYMENT_CONSUMER)

OWNED = tuple(
    OwnedRows(column)
    for column in (ORDER_VIEW.c.order_id, _SUMMARY.orders.c.order_id, _MONEY.order_id)
)


def archivable_orders(service: str, clock: Clock) -> Archivable:
    """What the retention of the order service removes; not while a rebuild compares the tables."""

    def is_rebuilding(connection: Connection) -> bool:
        row = lease_table.of_subjects(connection, [REBUILD_LEASE]).get(REBUILD_LEASE)
        return row is not None and row.lease_expire_time + REBUILD_MAX > clock.now()

    return Archivable(service=service, find_due=find_due, owned=OWNED, is_paused=is_rebuilding)


def find_due(connection: Connection, query: DueQuery) -> DuePage:
    """Find the next orders that are due."""
    rows = _ROWS.read(connection, query, ORDER_VIEW.c.needs_review.is_(False))
    applied = [row for row in rows if row.position <= query.up_to_position]
    orders = [(order_pb2.Order.FromString(row.message), row.position) for row in applied]
    old = [(order, at) for order, at in orders if _ended_before(order, query)]
    counted = _counted(connection, [order for order, _ in old])
    due = tuple(_due(order, at) for order, at in old if counted[order.order_id])
    return DuePage(due, _ROWS.next_after(query, rows, goes_on=bool(applied)))


def _ended_before(order: order_pb2.Order, query: DueQuery) -> bool:
    return order.update_time.ToMicroseconds() < to_micros(query.before)


def _counted(connection: Connection, orders: Sequence[order_pb2.Order]) -> Mapping[str, bool]:
    """Whether the customer summary has all money of each order, where there is a summary."""
    if connection.execute(_FOLLOWS).first() is None:
        return {order.order_id: True for order in orders}
    ids = [order.order_id for order in orders]
    sums = {
        order_id: (int(captured), int(refunded))
        for order_id, captured, refunded in connection.execute(_COUNTED, {"of_orders": ids})
    }
    return {each.order_id: sums.get(each.order_id, (0, 0)) == _money_of(each) for each in orders}


def _money_of(order: order_pb2.Order) -> tuple[int, int]:
    """What was captured of an order, and what was refunded."""
    captured = order.total.minor_units if order.state in _PAID else 0
    return captured, order.refunded_amount.minor_units


def _due(order: order_pb2.Order, position: int) -> DueAggregate:
    return DueAggregate(
        order.order_id,
        order.version,
        position,
        (order.order_id, *(each.return_id for each in order.returns)),
    )
