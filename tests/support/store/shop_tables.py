"""A small shop's tables, with every kind of key and constraint that a unit of work meets."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)

from services.chassis.log.event_log import EVENT, EVENT_COUNTER
from services.chassis.request.request_ids import REQUEST
from services.chassis.store.unit.appends import Appends
from services.chassis.store.unit.newest import Newest
from services.chassis.store.unit.rows import Rows, RowsBy
from services.chassis.work.lease import LEASE

SHOP = MetaData()
ITEM = Table(
    "item",
    SHOP,
    Column("id", String, primary_key=True),
    Column("shelf", String, nullable=False, index=True),
    Column("amount", Integer, CheckConstraint("amount >= 0"), nullable=False),
    Column("label", String, unique=True),
)
PRICE = Table(
    "price",
    SHOP,
    Column("region", String, primary_key=True),
    Column("sku", String, primary_key=True),
    Column("cents", Integer, nullable=False),
)
BADGE = Table(
    "badge",
    SHOP,
    Column("id", String, primary_key=True),
    Column("code", String, unique=True, nullable=False),
)
BASKET = Table(
    "basket",
    SHOP,
    Column("id", String, primary_key=True),
    Column("owner", String, nullable=False),
)
LINE = Table(
    "line",
    SHOP,
    Column("basket", String, ForeignKey("basket.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sku", String, nullable=False),
)
ENTRY = Table(
    "entry",
    SHOP,
    Column("number", Integer, primary_key=True),
    Column("account", String, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("text", String, nullable=False),
)

ITEMS = Rows(ITEM, fixed=("shelf",))
ITEMS_BY_SHELF = RowsBy(ITEMS, "shelf")
PRICES = Rows(PRICE)
BADGES = Rows(BADGE, fixed=("code",))
BASKETS = Rows(BASKET)
LINES = Rows(LINE, by=("basket",))
ENTRIES = Appends(ENTRY, numbered=("number",))
ENTRY_RANKS = Newest(ENTRY, by="account", order="rank", columns=("rank",))

# An item that keeps its unique label, and a basket that keeps its line.
LABELLED, LABEL = "labelled", "unique"
KEPT = "kept"

Tables = dict[str, list[tuple[object, ...]]]

_CHASSIS = (EVENT, LEASE, REQUEST)
# What may differ from one run to another: random ids, and numbers that a database gives out.
_NOT_COMPARED = {
    "event": {"event_id"},
    "entry": {"number"},
    "lease": {"token"},
}


def create_shop(connection: Connection) -> None:
    """Create the shop's tables."""
    SHOP.create_all(connection)


def open_shop(connection: Connection) -> None:
    """Replace all rows, also the chassis's, by those with which a shop begins."""
    for table in (*reversed(SHOP.sorted_tables), *_CHASSIS):
        connection.execute(delete(table))
    connection.execute(update(EVENT_COUNTER).values(position=0))
    items = [
        {"id": LABELLED, "shelf": "top", "amount": 1, "label": LABEL},
        {"id": "milk", "shelf": "low", "amount": 5, "label": None},
    ]
    connection.execute(insert(ITEM), items)
    connection.execute(insert(PRICE).values(region="north", sku="milk", cents=99))
    baskets = [{"id": KEPT, "owner": "ann"}, {"id": "red", "owner": "bob"}]
    connection.execute(insert(BASKET), baskets)
    lines = [{"basket": basket, "number": 1, "sku": "milk"} for basket in (KEPT, "red")]
    connection.execute(insert(LINE), lines)


def all_rows(connection: Connection) -> Tables:
    """The rows of all tables, in the order of their keys."""
    found: Tables = {}
    for table in (*SHOP.sorted_tables, *_CHASSIS, EVENT_COUNTER):
        hidden = _NOT_COMPARED.get(table.name, set())
        compared = [column for column in table.columns if column.name not in hidden]
        rows = connection.execute(select(*compared).order_by(*table.primary_key.columns))
        found[table.name] = [tuple(row) for row in rows]
    return found
