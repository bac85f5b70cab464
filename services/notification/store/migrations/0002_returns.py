"""Tells the notifications about an order's returns apart."""

from contextlib import AbstractContextManager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "notification_0002"
down_revision = "notification_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the return; an instance of an older version writes notifications without it."""
    with _table() as table:
        table.add_column(sa.Column("return_id", sa.String, nullable=False, server_default=""))
        table.drop_constraint("notification_once", type_="unique")
        table.create_unique_constraint("notification_once", ["order_id", "template", "return_id"])


def downgrade() -> None:
    """Drop the notifications about returns, and the column."""
    op.execute("DELETE FROM notification WHERE return_id <> ''")
    with _table() as table:
        table.drop_constraint("notification_once", type_="unique")
        table.create_unique_constraint("notification_once", ["order_id", "template"])
        table.drop_column("return_id")


def _table() -> AbstractContextManager[BatchOperations]:
    """SQLite cannot change a constraint: there the table is copied."""
    return op.batch_alter_table("notification", table_kwargs={"sqlite_with_rowid": False})
