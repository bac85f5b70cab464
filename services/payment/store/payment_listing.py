"""Lists of payments."""

from sqlalchemy import Connection, and_, or_, select

from services.payment.domain.queries import PaymentFilter
from services.payment.domain.state import Payment
from services.payment.store.payment_rows import to_payment
from services.payment.store.tables import PAYMENT


def list_payments(connection: Connection, wanted: PaymentFilter) -> tuple[Payment, ...]:
    """The payments that the filter selects, the oldest first."""
    query = (
        select(PAYMENT).order_by(PAYMENT.c.create_time, PAYMENT.c.payment_id).limit(wanted.limit)
    )
    if wanted.order_id:
        query = query.where(PAYMENT.c.order_id == wanted.order_id)
    if wanted.states:
        query = query.where(PAYMENT.c.state.in_([str(state) for state in sorted(wanted.states)]))
    if wanted.after is not None:
        create_time, payment_id = wanted.after
        query = query.where(
            or_(
                PAYMENT.c.create_time > create_time,
                and_(PAYMENT.c.create_time == create_time, PAYMENT.c.payment_id > payment_id),
            )
        )
    return tuple(to_payment(row) for row in connection.execute(query))
