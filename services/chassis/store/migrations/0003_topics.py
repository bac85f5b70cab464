"""What events are part of, for consumers that follow nothing else."""

import sqlalchemy as sa
from alembic import op

revision = "chassis_0003"
down_revision = "chassis_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Events of before have no topic."""
    op.add_column(
        "event", sa.Column("topic", sa.String, nullable=False, server_default=sa.text("''"))
    )


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("event") as event:
        event.drop_column("topic")
