"""Items, stock, reservations and the ledger of movements."""

import sqlalchemy as sa
from alembic import op

revision = "inventory_0001"
down_revision = None
branch_labels = ("inventory",)
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _create_shelf()
    _create_reservations()
    op.create_table(
        "stock_movement",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("sku", sa.String, sa.ForeignKey("item.sku"), nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("on_hand_delta", sa.BigInteger, nullable=False),
        sa.Column("held_delta", sa.BigInteger, nullable=False),
        sa.Column("committed_delta", sa.BigInteger, nullable=False),
        sa.Column("reservation_id", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("occur_time", sa.BigInteger, nullable=False),
    )
    op.create_index("stock_movement_by_sku", "stock_movement", ["sku", "sequence"])
    op.create_index(
        "stock_movement_by_reservation", "stock_movement", ["reservation_id", "sequence"]
    )


def _create_shelf() -> None:
    op.create_table(
        "item",
        sa.Column("sku", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("currency_code", sa.String, nullable=False),
        sa.Column("unit_price_minor", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("stream_version", sa.Integer, nullable=False),
        sa.Column("update_time", sa.BigInteger, nullable=False),
        sa.CheckConstraint("unit_price_minor >= 0", name="item_price_not_negative"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "stock",
        sa.Column("sku", sa.String, sa.ForeignKey("item.sku"), primary_key=True),
        sa.Column("on_hand", sa.BigInteger, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.Column("committed", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.CheckConstraint("on_hand >= 0", name="stock_on_hand_not_negative"),
        sa.CheckConstraint("held >= 0", name="stock_held_not_negative"),
        sa.CheckConstraint("committed >= 0", name="stock_committed_not_negative"),
        sa.CheckConstraint("held + committed <= on_hand", name="stock_available_not_negative"),
        sqlite_with_rowid=False,
    )


def _create_reservations() -> None:
    op.create_table(
        "reservation",
        sa.Column("reservation_id", sa.String, primary_key=True),
        sa.Column("order_id", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("currency_code", sa.String, nullable=False),
        sa.Column("total_minor", sa.BigInteger),
        sa.Column("expire_time", sa.BigInteger),
        sa.Column("refusal", sa.LargeBinary),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("create_time", sa.BigInteger, nullable=False),
        sa.Column("update_time", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "reservation_by_state", "reservation", ["state", "create_time", "reservation_id"]
    )
    op.create_index(
        "reservation_hold_by_expiry",
        "reservation",
        ["state", "expire_time"],
        sqlite_where=sa.text("state = 'HELD'"),
        postgresql_where=sa.text("state = 'HELD'"),
    )
    op.create_table(
        "reservation_line",
        sa.Column(
            "reservation_id",
            sa.String,
            sa.ForeignKey("reservation.reservation_id"),
            primary_key=True,
        ),
        sa.Column("sku", sa.String, sa.ForeignKey("item.sku"), primary_key=True),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("unit_price_minor", sa.BigInteger, nullable=False),
        sa.CheckConstraint("quantity > 0", name="reservation_line_quantity_positive"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop all tables with their data."""
    for table in ("stock_movement", "reservation_line", "reservation", "stock", "item"):
        op.drop_table(table)
