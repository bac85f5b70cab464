"""Tables that are built beside the live ones, under names of their own, and then take their place.

Renaming is all that the swap does, so it takes no longer for a million rows than for one. What a
rebuild left behind, finished or not, is emptied in small writes before it is dropped.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Index, MetaData, Table, delete, inspect, select, tuple_

from services.order.store.tables import ORDER_VIEW
from services.order.summary.summary_tables import summary_tables

NEXT, OLD = "_next", "_old"
# So many rows are deleted in one write.
EMPTY_ROWS = 500

NEXT_SUMMARY = summary_tables(NEXT)
NEXT_VIEW = ORDER_VIEW.to_metadata(MetaData(), name=f"{ORDER_VIEW.name}{NEXT}")
# As in the migration that made the live table.
_INDEXES = {
    "order_view_time": ("create_time", "order_id"),
    "order_view_customer": ("customer_id", "create_time", "order_id"),
    "order_view_state": ("state", "create_time", "order_id"),
}
# An index keeps its name when its table is renamed: those of every second rebuild end in this.
_OTHER = "_2"

_LIVE = (ORDER_VIEW, *summary_tables().all)


def create(connection: Connection) -> None:
    """Make the empty tables, with every index of the live ones."""
    live = {index["name"] for index in inspect(connection).get_indexes(ORDER_VIEW.name)}
    suffix = _OTHER if live & set(_INDEXES) else ""
    view = ORDER_VIEW.to_metadata(MetaData(), name=NEXT_VIEW.name)
    for name, columns in _INDEXES.items():
        Index(f"{name}{suffix}", *(view.c[column] for column in columns))
    view.create(connection)
    for table in NEXT_SUMMARY.all:
        table.create(connection)


def swap(connection: Connection) -> None:
    """Let the new tables take the names of the live ones, in the caller's transaction."""
    for table in _LIVE:
        _rename(connection, table.name, f"{table.name}{OLD}")
        _rename(connection, f"{table.name}{NEXT}", table.name)


def leftovers(connection: Connection) -> tuple[Table, ...]:
    """What is left of an earlier rebuild, or of the tables that one has replaced."""
    known = set(inspect(connection).get_table_names())
    beside: Sequence[Table] = [
        table.to_metadata(MetaData(), name=f"{table.name}{suffix}")
        for table in _LIVE
        for suffix in (NEXT, OLD)
    ]
    return tuple(table for table in beside if table.name in known)


def remove(connection: Connection, table: Table) -> bool:
    """Delete some rows of a table, and the table with its last ones; whether it is gone."""
    keys = list(table.primary_key)
    some = select(*keys).limit(EMPTY_ROWS)
    deleted = connection.execute(delete(table).where(tuple_(*keys).in_(some))).rowcount
    if deleted == EMPTY_ROWS:
        return False
    table.drop(connection)
    return True


def _rename(connection: Connection, was: str, becomes: str) -> None:
    connection.exec_driver_sql(f"ALTER TABLE {was} RENAME TO {becomes}").close()
