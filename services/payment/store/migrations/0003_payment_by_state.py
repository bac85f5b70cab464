"""An index for lists of payments in some states."""

from alembic import op

revision = "payment_0003"
down_revision = "payment_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create it; the list then no longer reads all payments to find those in rare states."""
    op.create_index("payment_by_state", "payment", ["state", "create_time", "payment_id"])


def downgrade() -> None:
    """Drop it; lists by state are slow again."""
    op.drop_index("payment_by_state")
