"""The order service's own tables; those of the event log, requests and leases are the chassis'."""

from pathlib import Path

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, MetaData, String, Table

MIGRATIONS = Path(__file__).parent / "migrations"

# The kind of the lease on an order that has steps to take.
CHECKOUT_LEASE = "checkout"
# The kind and the subject of the lease of a rebuild, while which no order is removed.
REBUILD_LEASE = "rebuild"

_METADATA = MetaData()

# One row for each order, written with each append: what ListOrders filters by, and the message.
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
