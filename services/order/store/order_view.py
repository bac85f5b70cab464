"""The list of orders, written in the transaction of the append and so never behind the streams.

A row holds the order's message as every reader gets it: a list and a waiting caller read one row
for each order and fold no events.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    bindparam,
    select,
    tuple_,
    union_all,
)
from tradepost.order.v1 import order_pb2

from services.chassis.log.event_log import EventLog
from services.chassis.request.answer_size import AnswerRoom
from services.chassis.store.micros import to_micros
from services.chassis.store.prepared import Prepared
from services.chassis.store.unit.rows import Rows
from services.order.domain.errors import OrderNotFoundError
from services.order.domain.queries import OrderFilter
from services.order.store.order_streams import LoadedOrder
from services.order.store.tables import ORDER_VIEW
from services.order.wire.replies import to_order

_VIEW = Rows(ORDER_VIEW, fixed=("customer_id", "create_time"))
_COLUMNS = (ORDER_VIEW.c.message, ORDER_VIEW.c.position)
_GET = Prepared(select(*_COLUMNS).where(ORDER_VIEW.c.order_id == bindparam("of_order")))
_BATCH = select(ORDER_VIEW.c.order_id, ORDER_VIEW.c.message).where(
    ORDER_VIEW.c.order_id.in_(bindparam("of_orders", expanding=True))
)
_SORT_KEY = (ORDER_VIEW.c.create_time, ORDER_VIEW.c.order_id)
_NEWEST_FIRST = tuple(column.desc() for column in _SORT_KEY)

# So many orders of a batch are read at once, because an order may have 500 lines.
_READ_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class OrderSnapshot:
    """An order's message, and the position of its newest event.

    `replayed` marks the answer to a request that had been carried out before.
    """

    order: order_pb2.Order
    position: int
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Orders as of one position of the feed; `has_more` when more orders follow."""

    rows: tuple[OrderSnapshot, ...]
    has_more: bool
    position: int


@dataclass(frozen=True, slots=True)
class OrderBatch:
    """The orders of a batch in the order of their ids; `unread_ids` did not fit into one answer."""

    orders: tuple[order_pb2.Order, ...]
    unknown_ids: tuple[str, ...]
    unread_ids: tuple[str, ...]


def write(connection: Connection, loaded: LoadedOrder, *, is_new: bool) -> None:
    """Write the row of an order after an append."""
    # Its message is not worth reading: the stream has already said whether there is a row.
    write_row = _VIEW.add if is_new else _VIEW.replace
    write_row(connection, row_of(loaded))


def row_of(loaded: LoadedOrder) -> dict[str, object]:
    """Return the whole row of an order."""
    order = loaded.order
    return {
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "state": int(order.state),
        "needs_review": order.needs_review,
        "create_time": to_micros(order.create_time),
        "position": loaded.position,
        "message": to_order(order).SerializeToString(),
    }


def snapshot_of(loaded: LoadedOrder) -> OrderSnapshot:
    """Return what `get` reads after `write`, without reading it."""
    return OrderSnapshot(to_order(loaded.order), loaded.position)


def get(connection: Connection, order_id: str) -> OrderSnapshot:
    """Read one order. Raises OrderNotFoundError."""
    row = _GET.first(connection, of_order=order_id)
    if row is None:
        raise OrderNotFoundError(order_id)
    message, position = row
    return OrderSnapshot(order_pb2.Order.FromString(message), position)


def batch(connection: Connection, order_ids: Sequence[str]) -> OrderBatch:
    """Read orders by id, as many of the first ones as fit into one answer."""
    room = AnswerRoom()
    orders: list[order_pb2.Order] = []
    unknown: list[str] = []
    for start in range(0, len(order_ids), _READ_AT_ONCE):
        some = list(order_ids[start : start + _READ_AT_ONCE])
        rows = connection.execute(_BATCH, {"of_orders": some})
        messages = {row.order_id: row.message for row in rows}
        for place, order_id in enumerate(some, start):
            message = messages.get(order_id)
            if message is None:
                unknown.append(order_id)
            elif room.takes(len(message)):
                orders.append(order_pb2.Order.FromString(message))
            else:
                return OrderBatch(tuple(orders), tuple(unknown), tuple(order_ids[place:]))
    return OrderBatch(tuple(orders), tuple(unknown), ())


def page(connection: Connection, log: EventLog, query: OrderFilter) -> OrderPage:
    """Read a page of orders, the newest first; a shorter one when the orders are large."""
    room = AnswerRoom()
    rows: list[OrderSnapshot] = []
    has_more = False
    for row in connection.execute(_page(query)):
        has_more = len(rows) == query.page_size or not room.takes(len(row.message))
        if has_more:
            break
        rows.append(_of_row(row))
    return OrderPage(tuple(rows), has_more=has_more, position=log.head(connection))


def _page(query: OrderFilter) -> Select[Any]:
    if query.customer_id:
        rows = _rows(query).where(ORDER_VIEW.c.customer_id == query.customer_id)
        if query.states:
            # The sum keeps the planner from the index on states, in which it would read all
            # orders of these states for one customer.
            rows = rows.where((ORDER_VIEW.c.state + 0).in_([int(state) for state in query.states]))
        return rows
    if query.states:
        return _newest_of_each_state(query)
    return _rows(query)


def _newest_of_each_state(query: OrderFilter) -> Select[Any]:
    """Read one page from the index for each state and merge them: only these pages are sorted."""
    keyed = [
        _rows(query, *_SORT_KEY).where(ORDER_VIEW.c.state == int(state)).subquery().select()
        for state in sorted(set(query.states))
    ]
    merged = union_all(*keyed).subquery()
    newest_first = (merged.c.create_time.desc(), merged.c.order_id.desc())
    rows = select(merged.c.message, merged.c.position).order_by(*newest_first)
    return rows.limit(query.page_size + 1)


def _rows(query: OrderFilter, *also: Any) -> Select[Any]:
    rows = select(*_COLUMNS, *also).order_by(*_NEWEST_FIRST).limit(query.page_size + 1)
    if query.created_after is not None:
        rows = rows.where(ORDER_VIEW.c.create_time >= to_micros(query.created_after))
    if query.after is not None:
        rows = rows.where(tuple_(*_SORT_KEY) < tuple_(*query.after))
    before = None if query.created_before is None else to_micros(query.created_before)
    # A key below the bound already implies it; with both, the scan would begin at the bound.
    if before is not None and (query.after is None or query.after[0] >= before):
        rows = rows.where(ORDER_VIEW.c.create_time < before)
    return rows


def _of_row(row: Row[*tuple[Any, ...]]) -> OrderSnapshot:
    return OrderSnapshot(order_pb2.Order.FromString(row.message), row.position)
