"""The newest row of each group: read by key, changed in memory only.

It is for what a write must know of rows that it appends to, without reading them all.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table

from services.chassis.store.unit import sql
from services.chassis.store.unit.needs import Entry, Key, Need
from services.chassis.store.unit.sql import Row
from services.chassis.store.unit.unit import current_unit, unit_of


class Newest:
    """The row with the highest value of `order`, of those that share a value in the column `by`.

    There is an index on both columns, so that a long group costs no more than a short one. What is
    read of the row are `columns`, the first of which is never NULL.
    """

    def __init__(self, table: Table, *, by: str, order: str, columns: Sequence[str]) -> None:
        self.name = table.name
        self._by = by
        self._order = order
        self._columns = tuple(columns)

    def need(self, key: Key) -> Need:
        """Name a key that a write will read, for `Database.write`."""
        return Need(self, key)

    def of(self, connection: Connection, key: Key) -> Row | None:
        """The values of the key's newest row; None if there are no rows."""
        unit = unit_of(connection)
        if unit is not None:
            found = unit.get(self, key)
        else:
            rows = [row for each in self.start(connection, [key]) for row in each.fetchall()]
            found = self.entries(rows, [key])[key]
        return found[0] if found else None

    def change(self, connection: Connection, key: Key, *values: object) -> None:
        """Record the values of a row that was appended in this write."""
        current_unit(connection).show(self, key, (values,))

    def start(self, connection: Connection, keys: Sequence[Key]) -> list[Any]:
        """Execute the statements that read the keys; return their cursors."""
        return [
            sql.start(connection, self._text(connection.dialect.name, len(values)), values)
            for values in sql.padded(keys)
        ]

    def entries(self, found: Iterable[Row], keys: Sequence[Key]) -> dict[Key, Entry]:
        """The newest row of each of the keys among `found`."""
        newest = {key: ((*values,),) for key, *values in found if values[0] is not None}
        return {key: newest.get(key, ()) for key in keys}

    def _text(self, dialect: str, number: int) -> str:
        return _text(dialect, number, (self.name, self._by, self._order, *self._columns))


@cache
def _text(dialect: str, number: int, names: tuple[str, ...]) -> str:
    """A scalar subquery for each column: both databases look each of them up in the index."""
    table, by, order, *columns = sql.quoted(dialect, names)
    tail = f"WHERE {by} = wanted.column1 ORDER BY {order} DESC LIMIT 1"
    newest = (
        f"(SELECT {column} FROM {table} {tail})"  # noqa: S608 - names of our own
        for column in columns
    )
    keys = ", ".join([sql.marks(dialect, 1)] * number)
    selected = ", ".join(["column1", *newest])
    return f"SELECT {selected} FROM (VALUES {keys}) AS wanted"  # noqa: S608 - names of our own
