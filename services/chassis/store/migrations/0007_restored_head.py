"""How far a consumer's feed reached when it was found to be restored to an earlier position."""

import sqlalchemy as sa
from alembic import op

revision = "chassis_0007"
down_revision = "chassis_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of consumers that are stopped already it isn't known."""
    op.add_column("subscription", sa.Column("restored_head", sa.BigInteger, nullable=True))


def downgrade() -> None:
    """Drop the column."""
    with op.batch_alter_table("subscription") as subscription:
        subscription.drop_column("restored_head")
