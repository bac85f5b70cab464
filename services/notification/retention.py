"""What the retention of notifications archives: what was sent about orders that are archived.

All of one order go together, with the details of the order that later messages would mention.
"""

from collections.abc import Sequence

import grpc
from sqlalchemy import Connection, bindparam, func, select
from tradepost.order.v1.order_service_pb2 import BatchGetOrdersRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

from services.chassis.retention.archivable import (
    Archivable,
    DueAggregate,
    DuePage,
    DueQuery,
    FindGone,
    OwnedRows,
)
from services.chassis.retention.slowest_consumer import TIMEOUT_S
from services.chassis.store.micros import to_micros
from services.notification.domain.state import NotificationState
from services.notification.store.tables import NOTIFICATION, ORDER_DETAILS

_C, _ORDER = NOTIFICATION.c, ORDER_DETAILS.c.order_id
_ABOUT = (
    select(_C.order_id, func.max(_C.create_time), func.min(_C.state))
    .where(_C.order_id.in_(bindparam("of_orders", expanding=True)))
    .group_by(_C.order_id)
)


def archivable_notifications(service: str, orders: grpc.aio.Channel) -> Archivable:
    """What is removed once the order service, behind a channel, has archived the order."""
    return Archivable(
        service=service,
        find_due=find_due,
        owned=(OwnedRows(_C.order_id), OwnedRows(_ORDER)),
        find_gone=gone_orders(orders),
    )


def gone_orders(channel: grpc.aio.Channel) -> FindGone:
    """Ask the order service, behind a channel, which orders it doesn't have any more."""
    stub = OrderServiceStub(channel)

    async def ask(ids: Sequence[str]) -> frozenset[str]:
        request = BatchGetOrdersRequest(order_ids=ids)
        answer = await stub.BatchGetOrders(request, timeout=TIMEOUT_S)
        return frozenset(answer.unknown_order_ids)

    return ask


def find_due(connection: Connection, query: DueQuery) -> DuePage:
    """Find the next orders about which nothing was written for long, and nothing waits."""
    (after,) = query.after or ("",)
    page = select(_ORDER).where(after < _ORDER).order_by(_ORDER).limit(query.limit)
    orders = list(connection.execute(page).scalars())
    before = to_micros(query.before)
    due = tuple(
        DueAggregate(order_id, version=0, position=0, request_ids_of=(), parent=order_id)
        for order_id, newest, state in connection.execute(_ABOUT, {"of_orders": orders})
        if newest < before and state > NotificationState.PENDING
    )
    has_more = len(orders) == query.limit and bool(due)
    return DuePage(due, (orders[-1],) if has_more else None)
