"""Statements on the details of orders."""

from sqlalchemy import Connection, bindparam, insert, select, update

from services.chassis.domain.money import Money
from services.chassis.store.prepared import Prepared
from services.notification.domain.state import OrderDetails
from services.notification.store.tables import ORDER_DETAILS

_C = ORDER_DETAILS.c
_of_order = _C.order_id == bindparam("of_order")
_GET = Prepared(select(_C.customer_id, _C.currency_code, _C.minor_units, _C.why).where(_of_order))
_ADD = Prepared(insert(ORDER_DETAILS).inline())
_CHANGE = Prepared(
    update(ORDER_DETAILS)
    .where(_of_order)
    .values(
        customer_id=bindparam("new_customer_id"),
        currency_code=bindparam("new_currency_code"),
        minor_units=bindparam("new_minor_units"),
        why=bindparam("new_why"),
    )
)


def load(connection: Connection, order_id: str) -> OrderDetails | None:
    """Load what is known of an order; None where nothing is."""
    row = _GET.first(connection, of_order=order_id)
    if row is None:
        return None
    customer_id, currency_code, minor_units, why = row
    total = Money(currency_code, minor_units) if currency_code else None
    return OrderDetails(order_id, customer_id, total, why)


def save(connection: Connection, order: OrderDetails, *, is_new: bool) -> None:
    """Insert the row of an order where it `is_new`, else update it."""
    total = order.total or Money("", 0)
    values = {
        "customer_id": order.customer_id,
        "currency_code": total.currency_code,
        "minor_units": total.minor_units,
        "why": order.cancellation_reason,
    }
    if is_new:
        _ADD.change(connection, order_id=order.order_id, **values)
        return
    changed = {f"new_{name}": value for name, value in values.items()}
    _CHANGE.change(connection, of_order=order.order_id, **changed)
