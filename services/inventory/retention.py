"""What the retention of reservations archives: those that are over, of orders that are archived.

A stock level stays the sum of its movements: those of removed reservations are added up in one
movement for each item and kind.
"""

from collections.abc import Sequence

import grpc
from sqlalchemy import Connection, bindparam, func, insert, select, update
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
from services.chassis.retention.due_rows import DueRows, newest_events
from services.chassis.retention.slowest_consumer import TIMEOUT_S
from services.chassis.store.micros import to_micros
from services.inventory.domain.state import ReservationState
from services.inventory.store.tables import RESERVATION, RESERVATION_LINE, STOCK_MOVEMENT

_C, _M = RESERVATION.c, STOCK_MOVEMENT.c
_REASON = "the sum of archived reservations"
_OVER = (
    ReservationState.EXPIRED,
    ReservationState.FULFILLED,
    ReservationState.REJECTED,
    ReservationState.RELEASED,
)
_ROWS = DueRows(
    state=_C.state,
    states=tuple(state.value for state in _OVER),
    create_time=_C.create_time,
    key=_C.reservation_id,
    columns=(_C.order_id, _C.update_time),
)
_DELTAS = ("on_hand_delta", "held_delta", "committed_delta")
_SUMS = (
    select(
        _M.sku,
        _M.kind,
        func.max(_M.occur_time).label("occur_time"),
        *(func.sum(_M[name]).label(name) for name in _DELTAS),
    )
    .where(_M.reservation_id.in_(bindparam("reservations", expanding=True)))
    .group_by(_M.sku, _M.kind)
)


def archivable_reservations(service: str, orders: grpc.aio.Channel) -> Archivable:
    """What is removed once the order service, behind a channel, has archived the order."""
    return Archivable(
        service=service,
        find_due=find_due,
        owned=tuple(
            OwnedRows(column)
            for column in (_M.reservation_id, RESERVATION_LINE.c.reservation_id, _C.reservation_id)
        ),
        carry=carry_movements,
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
    """Find the next reservations to which nothing has happened for long."""
    rows = _ROWS.read(connection, query)
    newest = newest_events(connection, [row.reservation_id for row in rows])
    applied = [row for row in rows if newest[row.reservation_id].position <= query.up_to_position]
    due = tuple(
        DueAggregate(
            row.reservation_id,
            *newest[row.reservation_id],
            (row.reservation_id,),
            parent=row.order_id,
        )
        for row in applied
        if row.update_time < to_micros(query.before)
    )
    return DuePage(due, _ROWS.next_after(query, rows, goes_on=bool(applied)))


def carry_movements(connection: Connection, due: Sequence[DueAggregate]) -> None:
    """Add the movements of these reservations to those that stand for archived ones."""
    reservations = [each.subject for each in due]
    for moved in connection.execute(_SUMS, {"reservations": reservations}).mappings().all():
        sums = {name: int(moved[name]) for name in _DELTAS}
        # Every item has its own, so that the index on this column finds it.
        archived = f"archived/{moved['sku']}"
        grown = (
            update(STOCK_MOVEMENT)
            .where(_M.reservation_id == archived, _M.kind == moved["kind"])
            .values(
                occur_time=moved["occur_time"],
                **{name: _M[name] + number for name, number in sums.items()},
            )
        )
        if connection.execute(grown).rowcount:
            continue
        values = {
            "sku": moved["sku"],
            "kind": moved["kind"],
            "reservation_id": archived,
            "reason": _REASON,
            "occur_time": moved["occur_time"],
            "actor": "",
        }
        connection.execute(insert(STOCK_MOVEMENT).values(**values, **sums))
