"""The tables of the notification service; `migrations/` creates them."""

from pathlib import Path

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table

MIGRATIONS = Path(__file__).parent / "migrations"

_METADATA = MetaData()

# Details of an order that later messages mention.
ORDER_DETAILS = Table(
    "brief",
    _METADATA,
    Column("order_id", String, primary_key=True),
    # Empty until the order was placed.
    Column("customer_id", String, nullable=False),
    # Empty, and 0, until the order is confirmed.
    Column("currency_code", String, nullable=False),
    Column("minor_units", BigInteger, nullable=False),
    # The reason of the order's cancellation, as a sentence; empty until then.
    Column("why", String, nullable=False),
)
NOTIFICATION = Table(
    "notification",
    _METADATA,
    Column("notification_id", String, primary_key=True),
    Column("order_id", String, nullable=False),
    Column("template", Integer, nullable=False),
    Column("customer_id", String, nullable=False),
    Column("recipient", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("body", String, nullable=False),
    Column("state", Integer, nullable=False),
    Column("error", String, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("send_time", BigInteger),
    # The return that the notification is about; empty unless it is about one.
    Column("return_id", String, nullable=False, server_default=""),
)
