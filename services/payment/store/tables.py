"""The payment service's tables; `migrations/` creates them, with their constraints and indexes.

The rules limit a payment's captures and refunds, and they are only read with it, so its row holds
them as JSON. Their sums have columns of their own, which the CHECK constraints need.
"""

from pathlib import Path

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table

MIGRATIONS = Path(__file__).with_name("migrations")

_METADATA = MetaData()

# The same text as in the unique index, or SQLite would not use the index.
IS_LIVE = "state NOT IN ('DECLINED', 'VOIDED', 'EXPIRED')"

PAYMENT = Table(
    "payment",
    _METADATA,
    Column("payment_id", String, primary_key=True),
    Column("order_id", String, nullable=False),
    Column("customer_id", String, nullable=False),
    Column("state", String, nullable=False),
    Column("currency_code", String, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("captured_minor", BigInteger, nullable=False),
    Column("refunded_minor", BigInteger, nullable=False),
    Column("refund_pending_minor", BigInteger, nullable=False),
    Column("payment_method", String, nullable=False),
    Column("expire_after_micros", BigInteger, nullable=False),
    Column("authorize_request_id", String, nullable=False),
    Column("origin", String, nullable=False),
    Column("authorization_reference", String, nullable=False),
    Column("authorize_expire_time", BigInteger),
    Column("refusal", String, nullable=False),
    Column("decline_code", String, nullable=False),
    Column("void_request_id", String, nullable=False),
    Column("captures", String, nullable=False),
    Column("refunds", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("history", LargeBinary, nullable=False),
)

LEDGER_ENTRY = Table(
    "ledger_entry",
    _METADATA,
    Column("sequence", BigInteger, primary_key=True),
    Column("posting_id", String, nullable=False),
    Column("payment_id", String, nullable=False),
    Column("order_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("account", String, nullable=False),
    Column("side", String, nullable=False),
    Column("currency_code", String, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("occur_time", BigInteger, nullable=False),
    Column("requester", String, nullable=False),
    Column("reason", String, nullable=False),
)
