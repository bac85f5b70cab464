"""The inventory's tables, as the newest migration leaves them, and their rows by key."""

from pathlib import Path

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    text,
)

from services.chassis.store.unit.appends import Appends
from services.chassis.store.unit.rows import Rows

MIGRATIONS = Path(__file__).with_name("migrations")

METADATA = MetaData()

ITEM = Table(
    "item",
    METADATA,
    Column("sku", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("currency_code", String, nullable=False),
    Column("unit_price_minor", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("stream_version", Integer, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    CheckConstraint("unit_price_minor >= 0", name="item_price_not_negative"),
    sqlite_with_rowid=False,
)

STOCK = Table(
    "stock",
    METADATA,
    Column("sku", String, ForeignKey("item.sku"), primary_key=True),
    Column("on_hand", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("committed", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    CheckConstraint("on_hand >= 0", name="stock_on_hand_not_negative"),
    CheckConstraint("held >= 0", name="stock_held_not_negative"),
    CheckConstraint("committed >= 0", name="stock_committed_not_negative"),
    CheckConstraint("held + committed <= on_hand", name="stock_available_not_negative"),
    sqlite_with_rowid=False,
)

RESERVATION = Table(
    "reservation",
    METADATA,
    Column("reservation_id", String, primary_key=True),
    Column("order_id", String, nullable=False),
    Column("state", String, nullable=False),
    Column("currency_code", String, nullable=False),
    Column("total_minor", BigInteger),
    Column("expire_time", BigInteger),
    Column("refusal", LargeBinary),
    Column("version", Integer, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Index("reservation_by_state", "state", "create_time", "reservation_id"),
    Index(
        "reservation_hold_by_expiry",
        # The state is constant here; with it, the planner sees that this index fits best.
        "state",
        "expire_time",
        sqlite_where=text("state = 'HELD'"),
        postgresql_where=text("state = 'HELD'"),
    ),
    sqlite_with_rowid=False,
)

RESERVATION_LINE = Table(
    "reservation_line",
    METADATA,
    Column("reservation_id", String, ForeignKey("reservation.reservation_id"), primary_key=True),
    Column("sku", String, ForeignKey("item.sku"), primary_key=True),
    Column("quantity", BigInteger, nullable=False),
    Column("name", String, nullable=False),
    Column("unit_price_minor", BigInteger, nullable=False),
    # How many of the units came back after they had left.
    Column("returned", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint("quantity > 0", name="reservation_line_quantity_positive"),
    sqlite_with_rowid=False,
)

# Append-only: a stock level is the sum of its movements.
STOCK_MOVEMENT = Table(
    "stock_movement",
    METADATA,
    # In SQLite only INTEGER makes the sequence the row key; it has 64 bits there, too.
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("sku", String, ForeignKey("item.sku"), nullable=False),
    Column("kind", String, nullable=False),
    Column("on_hand_delta", BigInteger, nullable=False),
    Column("held_delta", BigInteger, nullable=False),
    Column("committed_delta", BigInteger, nullable=False),
    Column("reservation_id", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("occur_time", BigInteger, nullable=False),
    Column("actor", String, nullable=False),
    Index("stock_movement_by_sku", "sku", "sequence"),
    Index("stock_movement_by_reservation", "reservation_id", "sequence"),
)

# Parents first: a batch writes its tables in this order.
ITEMS = Rows(ITEM)
LEVELS = Rows(STOCK)
RESERVATIONS = Rows(RESERVATION, fixed=("order_id", "currency_code", "total_minor", "create_time"))
LINES = Rows(
    RESERVATION_LINE, by=("reservation_id",), fixed=("quantity", "name", "unit_price_minor")
)
MOVEMENTS = Appends(STOCK_MOVEMENT, numbered=("sequence",))
