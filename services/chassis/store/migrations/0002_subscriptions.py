"""The tables of consumers: the position of each consumer, and its dead letters."""

import sqlalchemy as sa
from alembic import op

revision = "chassis_0002"
down_revision = "chassis_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables; a consumer's row is inserted when it first reads its feed."""
    op.create_table(
        "subscription",
        sa.Column("consumer", sa.String, primary_key=True),
        sa.Column("epoch", sa.String, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "dead_letter",
        # INTEGER, not BIGINT, lets SQLite autoincrement it.
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("dead_letter_id", sa.String, nullable=False, unique=True),
        sa.Column("consumer", sa.String, nullable=False),
        sa.Column("epoch", sa.String, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("aggregate_id", sa.String, nullable=False),
        sa.Column("event", sa.LargeBinary, nullable=False),
        sa.Column("error", sa.String, nullable=False),
        sa.Column("attempt_count", sa.Integer, nullable=False),
        sa.Column("park_time", sa.BigInteger, nullable=False),
        sa.Column("discard_time", sa.BigInteger),
        sa.Column("discard_reason", sa.String, nullable=False),
        sa.UniqueConstraint("consumer", "epoch", "position", name="dead_letter_event"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "dead_letter_aggregate", "dead_letter", ["consumer", "aggregate_id", "position"]
    )


def downgrade() -> None:
    """Drop both tables: consumers start from the beginning, and dead letters are lost."""
    for table in ("dead_letter", "subscription"):
        op.drop_table(table)
