"""The tables of the notification service."""

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table

_METADATA = MetaData()

# What later notices need to know of an order.
BRIEF = Table(
    "brief",
    _METADATA,
    Column("order_id", String, primary_key=True),
    Column("customer_id", String, nullable=False),
    # Empty, and 0, until the order is confirmed.
    Column("currency_code", String, nullable=False),
    Column("minor_units", BigInteger, nullable=False),
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
)
