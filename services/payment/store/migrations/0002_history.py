"""What an event that asked for a payment said of its checkout."""

import sqlalchemy as sa
from alembic import op

revision = "payment_0002"
down_revision = "payment_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Payments of before were asked for by calls, which say nothing of it."""
    op.add_column(
        "payment",
        sa.Column("history", sa.LargeBinary, nullable=False, server_default=sa.text("''")),
    )


def downgrade() -> None:
    """Drop it; choreographed checkouts under way end by their deadline."""
    with op.batch_alter_table("payment") as payment:
        payment.drop_column("history")
