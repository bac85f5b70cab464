"""Which instance recorded an event, and which one made an audited change."""

import sqlalchemy as sa
from alembic import op

revision = "chassis_0008"
down_revision = "chassis_0007"
compatible_from = "chassis_0007"
branch_labels = None
depends_on = None

_TABLES = ("event", "audit_record")


def upgrade() -> None:
    """Add the columns; of existing rows, and of those of older instances, it isn't known."""
    for table in _TABLES:
        op.add_column(
            table,
            sa.Column("instance_id", sa.String, nullable=False, server_default=sa.text("''")),
        )


def downgrade() -> None:
    """Drop the columns."""
    for table in _TABLES:
        with op.batch_alter_table(table) as changed:
            changed.drop_column("instance_id")
