"""Lists of payments."""

from typing import Any

from sqlalchemy import Connection, Select, select, tuple_, union_all

from services.payment.domain.queries import PaymentFilter
from services.payment.domain.state import Payment
from services.payment.store.payment_rows import to_payment
from services.payment.store.tables import PAYMENT

_SORT_KEY = (PAYMENT.c.create_time, PAYMENT.c.payment_id)


def list_payments(connection: Connection, wanted: PaymentFilter) -> tuple[Payment, ...]:
    """The payments that the filter selects, the oldest first."""
    return tuple(to_payment(row) for row in connection.execute(page(wanted)))


def page(wanted: PaymentFilter) -> Select[Any]:
    """The query of a page; its indexes make it as fast among a million payments as among ten."""
    states = sorted(str(state) for state in wanted.states)
    if wanted.order_id:
        rows = _rows(wanted).where(PAYMENT.c.order_id == wanted.order_id)
        # The empty text keeps the planner from the index on states: an order has few payments.
        return rows.where(PAYMENT.c.state.concat("").in_(states)) if states else rows
    if not states:
        return _rows(wanted)
    # Read a page from the index for each state and merge them, so that only these are sorted.
    keyed = [_rows(wanted).where(PAYMENT.c.state == state).subquery().select() for state in states]
    merged = union_all(*keyed).subquery()
    oldest_first = (merged.c.create_time, merged.c.payment_id)
    return select(merged).order_by(*oldest_first).limit(wanted.limit)


def _rows(wanted: PaymentFilter) -> Select[Any]:
    rows = select(PAYMENT).order_by(*_SORT_KEY).limit(wanted.limit)
    if wanted.after is not None:
        rows = rows.where(tuple_(*_SORT_KEY) > tuple_(*wanted.after))
    return rows
