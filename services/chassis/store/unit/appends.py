"""Rows that are only ever inserted, and never read back by the write that adds them."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, Table

from services.chassis.store.unit import sql
from services.chassis.store.unit.rows import PLACES
from services.chassis.store.unit.sql import Row
from services.chassis.store.unit.unit import current_unit


class Appends:
    """Rows to append to a table; the database numbers the column in `numbered`, if there is one."""

    def __init__(self, table: Table, *, numbered: Collection[str] = ()) -> None:
        self.name = table.name
        self.place = next(PLACES)
        self._columns = tuple(
            name for name in map(str, table.columns.keys()) if name not in numbered
        )
        self._pick = sql.row_maker(self._columns)

    def add(self, connection: Connection, rows: Iterable[Mapping[str, object]]) -> None:
        """Append rows, in order. Each has a value for every column."""
        current_unit(connection).append(self, map(self._pick, rows))

    def write(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert the rows."""
        sql.insert_rows(connection, self.name, self._columns, rows)
