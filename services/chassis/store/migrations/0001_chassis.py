"""The tables that every service has: event log, remembered requests, leases."""

import sqlalchemy as sa
from alembic import op

revision = "chassis_0001"
down_revision = None
branch_labels = ("chassis",)
depends_on = None


def upgrade() -> None:
    """Create the tables and the only row of the counter; `upgrade` then sets its epoch."""
    _create_event_log()
    op.create_table(
        "request",
        sa.Column("method", sa.String, primary_key=True),
        sa.Column("request_id", sa.String, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("resource", sa.String, nullable=False),
        sa.Column("response", sa.LargeBinary),
        sa.Column("create_time", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lease",
        sa.Column("subject", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("lease_expire_time", sa.BigInteger, nullable=False),
        sa.Column("next_attempt_time", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("deadline_time", sa.BigInteger),
        sa.Column("open_time", sa.BigInteger, nullable=False),
        sa.Column("step", sa.String, nullable=False),
        sa.Column("step_since_time", sa.BigInteger, nullable=False),
        sa.Column("last_error", sa.String, nullable=False),
        sa.Column("needs_review", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("lease_due", "lease", ["kind", "next_attempt_time"])


def _create_event_log() -> None:
    op.create_table(
        "event",
        # INTEGER, not BIGINT, makes the position SQLite's own row key; that has 64 bits too.
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("event_id", sa.String, nullable=False),
        sa.Column("stream", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("occur_time", sa.BigInteger, nullable=False),
        sa.Column("correlation_id", sa.String, nullable=False),
        sa.Column("causation_id", sa.String, nullable=False),
        sa.Column("traceparent", sa.String, nullable=False),
        sa.UniqueConstraint("stream", "version", name="event_stream_version"),
    )
    counter = op.create_table(
        "event_counter",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.String, nullable=False),
        sa.CheckConstraint("id = 1", name="event_counter_one_row"),
    )
    op.bulk_insert(counter, [{"id": 1, "position": 0, "epoch": ""}])


def downgrade() -> None:
    """Drop all four tables with their contents."""
    for table in ("lease", "request", "event", "event_counter"):
        op.drop_table(table)
