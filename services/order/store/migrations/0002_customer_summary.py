"""Creates the customer summary, and the orders and payments that it has already counted."""

import sqlalchemy as sa
from alembic import op

revision = "order_0002"
down_revision = "order_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the totals by customer, and the orders and payments that were counted."""
    op.create_table(
        "summary_order",
        sa.Column("order_id", sa.String, primary_key=True),
        sa.Column("customer_id", sa.String, nullable=False),
        sa.Column("place_time", sa.BigInteger, nullable=False),
        sa.Column("is_confirmed", sa.Integer, nullable=False),
        sa.Column("is_sent_back", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "summary_payment",
        # An order has one row for its capture and one for each refund.
        sa.Column("order_id", sa.String, primary_key=True),
        sa.Column("entry_id", sa.String, primary_key=True),
        sa.Column("currency_code", sa.String, nullable=False),
        sa.Column("captured_minor", sa.BigInteger, nullable=False),
        sa.Column("refunded_minor", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "customer_summary",
        sa.Column("customer_id", sa.String, primary_key=True),
        sa.Column("order_count", sa.BigInteger, nullable=False),
        sa.Column("confirmed_count", sa.BigInteger, nullable=False),
        sa.Column("last_order_id", sa.String, nullable=False),
        sa.Column("last_order_time", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "customer_spend",
        sa.Column("customer_id", sa.String, primary_key=True),
        sa.Column("currency_code", sa.String, primary_key=True),
        sa.Column("captured_minor", sa.BigInteger, nullable=False),
        sa.Column("refunded_minor", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop them; following the feeds from the beginning brings them back."""
    for table in ("customer_spend", "customer_summary", "summary_payment", "summary_order"):
        op.drop_table(table)
