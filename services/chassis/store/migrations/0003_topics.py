"""The topic of an event, so that a consumer can follow the events of one topic only."""

import sqlalchemy as sa
from alembic import op

revision = "chassis_0003"
down_revision = "chassis_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; existing events have no topic."""
    op.add_column(
        "event", sa.Column("topic", sa.String, nullable=False, server_default=sa.text("''"))
    )


def downgrade() -> None:
    """Drop the column."""
    with op.batch_alter_table("event") as event:
        event.drop_column("topic")
