"""The tables that a rebuild fills, under other names, until the swap renames them to the live ones.

The swap only renames tables, so its duration does not depend on the number of rows. Tables that a
rebuild leaves behind, finished or not, are emptied in small writes before they are dropped.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Index, MetaData, Table, delete, inspect, select, tuple_

from services.order.store.tables import ORDER_VIEW
from services.order.summary.summary_tables import summary_tables

NEXT, OLD = "_next", "_old"
# Rows deleted in one write.
EMPTY_ROWS = 500

NEXT_SUMMARY = summary_tables(NEXT)
NEXT_VIEW = ORDER_VIEW.to_metadata(MetaData(), name=f"{ORDER_VIEW.name}{NEXT}")
# The same as in the migration that creates the live table.
_INDEXES = {
    "order_view_time": ("create_time", "order_id"),
    "order_view_customer": ("customer_id", "create_time", "order_id"),
    "order_view_state": ("state", "create_time", "order_id"),
}
# An index keeps its name when its table is renamed, so the names alternate: those of every second
# rebuild have this suffix.
_SECOND_SUFFIX = "_2"

_LIVE = (ORDER_VIEW, *summary_tables().all)


def create(connection: Connection) -> None:
    """Create the empty tables, with all indexes of the live ones."""
    live = {index["name"] for index in inspect(connection).get_indexes(ORDER_VIEW.name)}
    suffix = _SECOND_SUFFIX if live & set(_INDEXES) else ""
    view = ORDER_VIEW.to_metadata(MetaData(), name=NEXT_VIEW.name)
    for name, columns in _INDEXES.items():
        Index(f"{name}{suffix}", *(view.c[column] for column in columns))
    view.create(connection)
    for table in NEXT_SUMMARY.all:
        table.create(connection)


def swap(connection: Connection) -> None:
    """Rename the new tables to the live ones, in the caller's transaction."""
    for table in _LIVE:
        _rename(connection, table.name, f"{table.name}{OLD}")
        _rename(connection, f"{table.name}{NEXT}", table.name)


def leftovers(connection: Connection) -> tuple[Table, ...]:
    """Return the tables left from an earlier rebuild: those it filled, and those it replaced."""
    known = set(inspect(connection).get_table_names())
    candidates: Sequence[Table] = [
        table.to_metadata(MetaData(), name=f"{table.name}{suffix}")
        for table in _LIVE
        for suffix in (NEXT, OLD)
    ]
    return tuple(table for table in candidates if table.name in known)


def remove(connection: Connection, table: Table) -> bool:
    """Delete some rows of a table, and drop it once it is empty; return whether it is dropped."""
    keys = list(table.primary_key)
    some = select(*keys).limit(EMPTY_ROWS)
    deleted = connection.execute(delete(table).where(tuple_(*keys).in_(some))).rowcount
    if deleted == EMPTY_ROWS:
        return False
    table.drop(connection)
    return True


def _rename(connection: Connection, old_name: str, new_name: str) -> None:
    connection.exec_driver_sql(f"ALTER TABLE {old_name} RENAME TO {new_name}").close()
