"""Who moved stock."""

import sqlalchemy as sa
from alembic import op

revision = "inventory_0003"
down_revision = "inventory_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nobody is known of existing movements."""
    op.add_column(
        "stock_movement",
        sa.Column("actor", sa.String, nullable=False, server_default=sa.text("''")),
    )


def downgrade() -> None:
    """Drop it: the ledger no longer tells who moved stock."""
    with op.batch_alter_table("stock_movement") as movements:
        movements.drop_column("actor")
