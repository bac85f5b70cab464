"""Creates the list of orders, with an index for each filter of ListOrders."""

import sqlalchemy as sa
from alembic import op

revision = "order_0001"
down_revision = None
branch_labels = ("order",)
depends_on = None


def upgrade() -> None:
    """Create the table; each index ends in the sort key of the list."""
    op.create_table(
        "order_view",
        sa.Column("order_id", sa.String, primary_key=True),
        sa.Column("customer_id", sa.String, nullable=False),
        sa.Column("state", sa.Integer, nullable=False),
        sa.Column("needs_review", sa.Boolean, nullable=False),
        sa.Column("create_time", sa.BigInteger, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("message", sa.LargeBinary, nullable=False),
    )
    op.create_index("order_view_time", "order_view", ["create_time", "order_id"])
    op.create_index("order_view_customer", "order_view", ["customer_id", "create_time", "order_id"])
    op.create_index("order_view_state", "order_view", ["state", "create_time", "order_id"])


def downgrade() -> None:
    """Drop it; a rebuild from the event log brings it back."""
    op.drop_table("order_view")
