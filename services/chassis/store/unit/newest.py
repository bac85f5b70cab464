"""The newest values of groups of rows: read by key, changed in memory only.

It is for what a write must know of rows that it appends to, without reading them all.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Table

from services.chassis.store.unit import sql
from services.chassis.store.unit.needs import Entry, Key, Need
from services.chassis.store.unit.sql import Row
from services.chassis.store.unit.unit import current_unit, unit_of


class Newest:
    """The maxima of some columns over the rows that share a value in the column `by`."""

    def __init__(self, table: Table, *, by: str, columns: Sequence[str]) -> None:
        self.name = table.name
        self._by = by
        self._columns = tuple(columns)

    def need(self, key: Key) -> Need:
        """Name a key that a write will read, for `Database.write`."""
        return Need(self, key)

    def of(self, connection: Connection, key: Key) -> Row | None:
        """The maxima of the key's rows; None if there are no rows."""
        unit = unit_of(connection)
        if unit is not None:
            found = unit.get(self, key)
        else:
            rows = [row for each in self.start(connection, [key]) for row in each.fetchall()]
            found = self.entries(rows, [key])[key]
        return found[0] if found else None

    def change(self, connection: Connection, key: Key, *maxima: object) -> None:
        """Record the maxima after rows were appended in this write."""
        current_unit(connection).show(self, key, (maxima,))

    def start(self, connection: Connection, keys: Sequence[Key]) -> list[Any]:
        """Execute the statements that read the keys; return their cursors."""
        dialect = connection.dialect.name
        maxima = (f"MAX({sql.named(dialect, [name])})" for name in self._columns)
        columns = ", ".join([sql.named(dialect, [self._by]), *maxima])
        tail = f"GROUP BY {sql.named(dialect, [self._by])}"
        started = []
        for values in sql.padded(keys):
            wanted = ((self._by, len(values)),)
            text = sql.select(dialect, self.name, columns, wanted, tail)
            started.append(sql.start(connection, text, values))
        return started

    def entries(self, found: Iterable[Row], keys: Sequence[Key]) -> dict[Key, Entry]:
        """The maxima of each of the keys among `found`."""
        maxima = {row[0]: (row[1:],) for row in found}
        return {key: maxima.get(key, ()) for key in keys}
