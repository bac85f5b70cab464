"""Lists the sagas that are not finished, for operators: each is an order and the lease on it."""

from typing import Any, cast

from sqlalchemy import Connection, Select, not_, or_, select, tuple_
from tradepost.order.admin.v1 import saga_pb2
from tradepost.order.v1 import order_pb2

from services.chassis.request.wire_values import to_timestamp
from services.chassis.store.micros import to_micros
from services.chassis.work.lease import LEASE, LeaseRow, Leases
from services.chassis.work.lease_table import lease_row
from services.order.domain.errors import SagaNotFoundError, StoredByNewerVersionError
from services.order.domain.queries import SagaFilter
from services.order.domain.state import Order
from services.order.domain.steps import due_steps
from services.order.store import order_view
from services.order.store.order_streams import OrderStreams
from services.order.store.tables import CHECKOUT_LEASE, ORDER_VIEW

# The sums keep the planner from the indexes of the list of orders: it reads the few leases first,
# and then looks up their orders, whatever the number of all orders.
_created = ORDER_VIEW.c.create_time + 0
_state = ORDER_VIEW.c.state + 0
_SORT_KEY = (_created, ORDER_VIEW.c.order_id)


class SagaListing:
    """Reads sagas, inside the caller's transaction."""

    def __init__(self, *, streams: OrderStreams, leases: Leases) -> None:
        self._streams = streams
        self._leases = leases

    def get(self, connection: Connection, order_id: str) -> saga_pb2.Saga:
        """Read one saga. Raises SagaNotFoundError when nothing is left to do."""
        lease = self._leases.get(connection, order_id)
        if lease is None:
            raise SagaNotFoundError(order_id)
        return self._saga(connection, lease)

    def page(self, connection: Connection, query: SagaFilter) -> tuple[saga_pb2.Saga, ...]:
        """Read a page of sagas, the oldest first, with two statements.

        An order that cannot be read is listed like all others, with what its row tells.
        """
        leases = [lease_row(row) for row in connection.execute(_page(query))]
        try:
            orders = self._streams.load_each(connection, [lease.subject for lease in leases])
        except StoredByNewerVersionError:
            return tuple(self._saga(connection, lease) for lease in leases)
        return tuple(to_saga(orders[lease.subject].order, lease) for lease in leases)

    def _saga(self, connection: Connection, lease: LeaseRow) -> saga_pb2.Saga:
        try:
            return to_saga(self._streams.load(connection, lease.subject).order, lease)
        except StoredByNewerVersionError as error:
            return _unreadable(order_view.get(connection, lease.subject).order, lease, error)


def to_saga(order: Order, lease: LeaseRow) -> saga_pb2.Saga:
    """Return the saga of an order and its lease as a message."""
    step = current_step(order)
    saga = _of_lease(lease)
    saga.state = cast(order_pb2.OrderState.ValueType, int(order.state))
    saga.step = step
    saga.attempt = order.attempt_of(step)
    saga.deadline_time.CopyFrom(to_timestamp(order.deadline))
    saga.create_time.CopyFrom(to_timestamp(order.create_time))
    if order.review is not None:
        saga.review_reason = order.review.reason
    saga.needs_review = saga.needs_review or order.needs_review
    return saga


def _unreadable(
    order: order_pb2.Order, lease: LeaseRow, error: StoredByNewerVersionError
) -> saga_pb2.Saga:
    """Return the saga of an order whose events this version cannot read."""
    saga = _of_lease(lease)
    saga.state = order.state
    saga.deadline_time.CopyFrom(order.deadline_time)
    saga.create_time.CopyFrom(order.create_time)
    saga.needs_review = True
    saga.review_reason = str(error)
    return saga


def _of_lease(lease: LeaseRow) -> saga_pb2.Saga:
    """Return what the lease tells. An error that stays the same is a reason for review, too."""
    return saga_pb2.Saga(
        order_id=lease.subject,
        unknown_count=lease.attempts,
        last_error=lease.last_error,
        next_attempt_time=to_timestamp(lease.next_attempt_time),
        owner=lease.owner,
        fencing_token=lease.token,
        lease_expire_time=to_timestamp(lease.lease_expire_time),
        needs_review=lease.needs_review,
        review_reason=lease.last_error if lease.needs_review else "",
    )


def current_step(order: Order) -> str:
    """Return the step that needs review or was retried; else the first due step of its state."""
    if order.review is not None:
        return order.review.step
    due = [step.name for step in due_steps(order)]
    retried = (step for step in due if order.attempt_of(step) > 1)
    return next(retried, due[0] if due else "")


def _page(query: SagaFilter) -> Select[Any]:
    rows = (
        select(LEASE)
        .join(ORDER_VIEW, LEASE.c.subject == ORDER_VIEW.c.order_id)
        .where(LEASE.c.kind == CHECKOUT_LEASE)
        .order_by(*_SORT_KEY)
        .limit(query.page_size + 1)
    )
    if query.placed_before is not None:
        rows = rows.where(_created <= to_micros(query.placed_before))
    if query.state is not None:
        rows = rows.where(_state == int(query.state))
    if query.needs_review is not None:
        needs_review = or_(ORDER_VIEW.c.needs_review, LEASE.c.needs_review)
        rows = rows.where(needs_review if query.needs_review else not_(needs_review))
    if query.after is not None:
        rows = rows.where(tuple_(*_SORT_KEY) > tuple_(*query.after))
    return rows
