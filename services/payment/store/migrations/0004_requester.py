"""Who asked for a refund and why, in the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "payment_0004"
down_revision = "payment_0003"
branch_labels = None
depends_on = None

_COLUMNS = ("requester", "reason")


def upgrade() -> None:
    """Add the columns; existing entries do not tell."""
    for name in _COLUMNS:
        op.add_column(
            "ledger_entry",
            sa.Column(name, sa.String, nullable=False, server_default=sa.text("''")),
        )


def downgrade() -> None:
    """Drop them: the ledger no longer tells who asked for a refund."""
    with op.batch_alter_table("ledger_entry") as ledger:
        for name in _COLUMNS:
            ledger.drop_column(name)
