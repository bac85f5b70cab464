"""Payments and the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "payment_0001"
down_revision = None
branch_labels = ("payment",)
depends_on = None

_IS_LIVE = sa.text("state NOT IN ('DECLINED', 'VOIDED', 'EXPIRED')")
_IS_CAPTURE = sa.text("kind = 'CAPTURED'")


def upgrade() -> None:
    """Create the tables."""
    _create_payment()
    _create_ledger()


def _create_payment() -> None:
    op.create_table(
        "payment",
        sa.Column("payment_id", sa.String, primary_key=True),
        sa.Column("order_id", sa.String, nullable=False),
        sa.Column("customer_id", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("currency_code", sa.String, nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("captured_minor", sa.BigInteger, nullable=False),
        sa.Column("refunded_minor", sa.BigInteger, nullable=False),
        sa.Column("refund_pending_minor", sa.BigInteger, nullable=False),
        sa.Column("payment_method", sa.String, nullable=False),
        sa.Column("expire_after_micros", sa.BigInteger, nullable=False),
        sa.Column("authorize_request_id", sa.String, nullable=False, unique=True),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("authorization_reference", sa.String, nullable=False),
        sa.Column("authorize_expire_time", sa.BigInteger),
        sa.Column("refusal", sa.String, nullable=False),
        sa.Column("decline_code", sa.String, nullable=False),
        sa.Column("void_request_id", sa.String, nullable=False),
        sa.Column("captures", sa.String, nullable=False),
        sa.Column("refunds", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("create_time", sa.BigInteger, nullable=False),
        sa.Column("update_time", sa.BigInteger, nullable=False),
        sa.CheckConstraint("amount_minor >= 0", name="payment_amount_not_negative"),
        sa.CheckConstraint("captured_minor IN (0, amount_minor)", name="payment_captured_all"),
        sa.CheckConstraint(
            "refunded_minor >= 0 AND refund_pending_minor >= 0"
            " AND refunded_minor + refund_pending_minor <= captured_minor",
            name="payment_refunded_at_most_captured",
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "payment_live_by_order",
        "payment",
        ["order_id"],
        unique=True,
        sqlite_where=_IS_LIVE,
        postgresql_where=_IS_LIVE,
    )
    op.create_index("payment_by_order", "payment", ["order_id", "create_time", "payment_id"])
    op.create_index("payment_by_age", "payment", ["create_time", "payment_id"])


def _create_ledger() -> None:
    op.create_table(
        "ledger_entry",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("posting_id", sa.String, nullable=False),
        sa.Column("payment_id", sa.String, sa.ForeignKey("payment.payment_id"), nullable=False),
        sa.Column("order_id", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("request_id", sa.String, nullable=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("side", sa.String, nullable=False),
        sa.Column("currency_code", sa.String, nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("occur_time", sa.BigInteger, nullable=False),
        sa.CheckConstraint("amount_minor > 0", name="ledger_entry_amount_positive"),
        sa.UniqueConstraint(
            "payment_id", "kind", "request_id", "side", name="ledger_entry_posted_once"
        ),
    )
    op.create_index(
        "ledger_entry_captured_once",
        "ledger_entry",
        ["payment_id", "side"],
        unique=True,
        sqlite_where=_IS_CAPTURE,
        postgresql_where=_IS_CAPTURE,
    )


def downgrade() -> None:
    """Drop everything; the money that is set aside stays at the processor."""
    for table in ("ledger_entry", "payment"):
        op.drop_table(table)
