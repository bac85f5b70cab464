"""Who recorded an event: a person, a service, or nobody that is known."""

import sqlalchemy as sa
from alembic import op

revision = "chassis_0005"
down_revision = "chassis_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nobody is known of existing events."""
    op.add_column(
        "event", sa.Column("actor", sa.String, nullable=False, server_default=sa.text("''"))
    )


def downgrade() -> None:
    """Drop the column: nobody is known of any event any more."""
    with op.batch_alter_table("event") as event:
        event.drop_column("actor")
