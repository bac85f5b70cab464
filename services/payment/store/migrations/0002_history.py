"""The checkout history of payments that an event asked for."""

import sqlalchemy as sa
from alembic import op

revision = "payment_0002"
down_revision = "payment_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; older payments were requested by calls, which have no history."""
    op.add_column(
        "payment",
        sa.Column("history", sa.LargeBinary, nullable=False, server_default=sa.text("''")),
    )


def downgrade() -> None:
    """Drop it; choreographed checkouts under way end by their deadline."""
    with op.batch_alter_table("payment") as payment:
        payment.drop_column("history")
