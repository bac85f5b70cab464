"""Counts the units of each line that came back after they had left."""

import sqlalchemy as sa
from alembic import op

revision = "inventory_0002"
down_revision = "inventory_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the count; an instance of an older version writes lines without it."""
    op.add_column(
        "reservation_line",
        sa.Column("returned", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    )


def downgrade() -> None:
    """Drop the count."""
    op.drop_column("reservation_line", "returned")
