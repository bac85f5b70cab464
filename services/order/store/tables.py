"""The order service's own tables; the event log, requests and leases are the chassis's."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, MetaData, String, Table

_METADATA = MetaData()

# One row an order, written with each append: what ListOrders filters by, and the order's message.
ORDER_VIEW = Table(
    "order_view",
    _METADATA,
    Column("order_id", String, primary_key=True),
    Column("customer_id", String, nullable=False),
    Column("state", Integer, nullable=False),
    Column("needs_review", Boolean, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("message", LargeBinary, nullable=False),
)
