"""The tables of the notification service."""

import sqlalchemy as sa
from alembic import op

revision = "notification_0001"
down_revision = None
branch_labels = ("notification",)
depends_on = None


def upgrade() -> None:
    """Create the tables of order details (`brief`) and of notifications."""
    op.create_table(
        "brief",
        sa.Column("order_id", sa.String, primary_key=True),
        sa.Column("customer_id", sa.String, nullable=False),
        sa.Column("currency_code", sa.String, nullable=False),
        sa.Column("minor_units", sa.BigInteger, nullable=False),
        sa.Column("why", sa.String, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "notification",
        sa.Column("notification_id", sa.String, primary_key=True),
        sa.Column("order_id", sa.String, nullable=False),
        sa.Column("template", sa.Integer, nullable=False),
        sa.Column("customer_id", sa.String, nullable=False),
        sa.Column("recipient", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("body", sa.String, nullable=False),
        sa.Column("state", sa.Integer, nullable=False),
        sa.Column("error", sa.String, nullable=False),
        sa.Column("create_time", sa.BigInteger, nullable=False),
        sa.Column("send_time", sa.BigInteger),
        # One notification for each order and template, even when an event is delivered again.
        sa.UniqueConstraint("order_id", "template", name="notification_once"),
        sqlite_with_rowid=False,
    )
    for column in ("customer_id", "state"):
        keys = [column, "create_time", "notification_id"]
        op.create_index(f"notification_{column}", "notification", keys)
    op.create_index("notification_create_time", "notification", ["create_time", "notification_id"])


def downgrade() -> None:
    """Drop both tables, with the record of what was sent."""
    for table in ("notification", "brief"):
        op.drop_table(table)
