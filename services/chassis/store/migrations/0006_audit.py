"""The audit log, and who discarded a dead letter."""

import sqlalchemy as sa
from alembic import op

revision = "chassis_0006"
down_revision = "chassis_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, whose rows are never changed; nobody is known of existing discards."""
    op.create_table(
        "audit_record",
        # INTEGER, not BIGINT, lets SQLite autoincrement it.
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("occur_time", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("method", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("request", sa.LargeBinary, nullable=False),
        sa.Column("response", sa.LargeBinary, nullable=False),
        sa.Column("correlation_id", sa.String, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_record_by_actor", "audit_record", ["actor", "sequence"])
    op.add_column(
        "dead_letter",
        sa.Column("discard_actor", sa.String, nullable=False, server_default=sa.text("''")),
    )


def downgrade() -> None:
    """Drop both: what people changed, and who they were, is lost."""
    with op.batch_alter_table("dead_letter") as dead_letter:
        dead_letter.drop_column("discard_actor")
    op.drop_table("audit_record")
