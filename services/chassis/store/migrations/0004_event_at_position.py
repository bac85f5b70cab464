"""The event at a consumer's position, by which a restored feed is noticed, and a feed's refusal."""

import sqlalchemy as sa
from alembic import op

revision = "chassis_0004"
down_revision = "chassis_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; consumers learn the event at their position from the next message."""
    for name in ("event_id", "event_at", "refusal"):
        op.add_column(
            "subscription",
            sa.Column(name, sa.String, nullable=False, server_default=sa.text("''")),
        )


def downgrade() -> None:
    """Drop the columns."""
    with op.batch_alter_table("subscription") as subscription:
        for name in ("event_id", "event_at", "refusal"):
            subscription.drop_column(name)
