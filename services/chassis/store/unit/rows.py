"""Rows of a table that are read and written by key.

In a write, `one` and `all` see what this transaction has read and changed so far, and `put` and
`delete` change it in memory; the unit of work writes the difference at its end. In a read, `one`
and `all` read from the database, and nothing can be changed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from sqlalchemy import Connection, Table

from services.chassis.store.unit import sql
from services.chassis.store.unit.difference import Difference, Unread, difference_of
from services.chassis.store.unit.needs import Entry, Key, Need, Then
from services.chassis.store.unit.sql import Row
from services.chassis.store.unit.unit import current_unit, unit_of

# Tables are written in the order in which they are declared, so declare parents first.
PLACES = count()


class Rows:
    """The rows of one table, found by the columns `by`, or by the primary key.

    If several rows share a key, they are read and seen together, sorted by primary key. Columns in
    `fixed` never change after the insert, so an update does not write them. If the database numbers
    the rows, `numbered` is that column, which is not seen, and `unique` takes the place of the
    primary key.
    """

    def __init__(
        self,
        table: Table,
        *,
        by: Sequence[str] = (),
        fixed: Collection[str] = (),
        numbered: str = "",
        unique: Sequence[str] = (),
    ) -> None:
        self.name = table.name
        self.columns = tuple(each.name for each in table.columns if each.name != numbered)
        self.place = next(PLACES)
        self._primary = tuple(unique) or tuple(each.name for each in table.primary_key)
        self._by = tuple(by) or self._primary
        # Whether several rows may have one key.
        self._is_shared = self._by != self._primary
        self._changing = tuple(
            name for name in self.columns if name not in {*self._primary, *fixed}
        )
        self._pick = sql.row_maker(self.columns)
        self.key_of = sql.picker(self.columns, self._by)
        self.id_of = sql.picker(self.columns, self._primary)
        self._changing_of = sql.picker(self.columns, self._changing)
        self._refused = _Refused(self)
        # Other columns by which rows are found; see `RowsBy`.
        self.secondary_keys: list[RowsBy] = []

    def need(self, key: Key, then: Then | None = None) -> Need:
        """Name a key that a write will read, for `Database.write`; `then` names further needs."""
        return Need(self, key, then)

    def one(self, connection: Connection, key: Key) -> Row | None:
        """The only row of the key; None if there is none."""
        found = self.all(connection, key)
        return found[0] if found else None

    def all(self, connection: Connection, key: Key) -> Entry:
        """All rows of the key."""
        unit = unit_of(connection)
        return self.read(connection, [key])[key] if unit is None else unit.get(self, key)

    def known(self, connection: Connection, key: Key) -> Entry | None:
        """All rows of a key that the running write has read; None if it has not."""
        unit = unit_of(connection)
        return None if unit is None else unit.known(self, key)

    def each(self, connection: Connection, keys: Iterable[Key]) -> dict[Key, Entry]:
        """All rows of each of the keys, by key; a key without rows has an empty tuple."""
        wanted = tuple(dict.fromkeys(keys))
        unit = unit_of(connection)
        if unit is None:
            return self.read(connection, wanted)
        unit.read(Need(self, key) for key in wanted)
        return {key: unit.get(self, key) for key in wanted}

    def named(self, row: Row) -> dict[str, Any]:
        """The values of a row by column."""
        return dict(zip(self.columns, row, strict=True))

    def put(self, connection: Connection, values: Mapping[str, object]) -> None:
        """Insert a row, or replace the one with its primary key. `values` are all columns."""
        row = self._pick(values)
        key = self.key_of(row)
        unit = current_unit(connection)
        others: list[Row] = []
        if self._is_shared:
            row_id = self.id_of(row)
            others = [each for each in unit.get(self, key) if self.id_of(each) != row_id]
        unit.set(self, key, (row,) if not others else self.sorted([*others, row]))

    def put_each(self, connection: Connection, rows: Iterable[Row]) -> None:
        """Like `put` for each of the rows, for tables in which a key has one row.

        Their values are in the order of the table's columns.
        """
        unit = current_unit(connection)
        for row in rows:
            unit.set(self, self.key_of(row), (row,))

    def add(self, connection: Connection, values: Mapping[str, object]) -> None:
        """Insert a row whose key no row has, without reading it. `values` are all columns."""
        row = self._pick(values)
        key = self.key_of(row)
        unit = current_unit(connection)
        if unit.known(self, key):
            # The database refuses the row at the flush, so the caller gets the driver's error.
            unit.show(self, key, (row,))
            unit.append(self._refused, [row])
        else:
            unit.put_unread(self, key, (row,), ())

    def replace(self, connection: Connection, values: Mapping[str, object]) -> None:
        """Write the only row of its key without reading what is stored."""
        row = self._pick(values)
        current_unit(connection).put_unread(self, self.key_of(row), (row,), Unread((row,)))

    def put_all(
        self, connection: Connection, key: Key, rows: Iterable[Mapping[str, object]]
    ) -> None:
        """Replace all rows of the key. Each has a value for every column."""
        current_unit(connection).set(self, key, self.sorted(list(map(self._pick, rows))))

    def show_added(self, connection: Connection, key: Key, values: Mapping[str, object]) -> None:
        """Show a row, which something else appends, among the rows of a key that were read."""
        unit = current_unit(connection)
        known = unit.known(self, key)
        if known is None:
            unit.hide(self, key)
        else:
            unit.show(self, key, (*known, self._pick(values)))

    def delete(self, connection: Connection, key: Key) -> None:
        """Delete all rows of the key."""
        current_unit(connection).set(self, key, ())

    def start(self, connection: Connection, keys: Sequence[Key]) -> list[Any]:
        """Execute the statements that read the keys; return their cursors."""
        dialect = connection.dialect.name
        names = sql.named(dialect, self.columns)
        return [
            sql.start(connection, sql.select(dialect, self.name, names, wanted), values)
            for wanted, values in wanted_of(self._by, keys)
        ]

    def entries(self, found: Iterable[Row], keys: Sequence[Key]) -> dict[Key, Entry]:
        """The rows of each of the keys among `found`."""
        groups = sql.grouped(found, self.key_of)
        return {key: self.sorted(groups[key]) if key in groups else () for key in keys}

    def read(self, connection: Connection, keys: Sequence[Key]) -> dict[Key, Entry]:
        """Read the keys from the database."""
        found = [row for cursor in self.start(connection, keys) for row in cursor.fetchall()]
        return self.entries(found, keys)

    def difference(
        self,
        stored: Mapping[Key, Entry],
        current: Mapping[Key, Entry],
        renewed: Collection[Key],
    ) -> Difference:
        """The difference between two states of some keys."""
        return difference_of(
            stored, current, renewed, id_of=self.id_of, changing_of=self._changing_of
        )

    def write(self, connection: Connection, change: Difference) -> None:
        """Change and insert rows; those that are to be deleted are gone already.

        A changed row may make way in a unique index for one that is inserted.
        """
        self._upsert(connection, change.changed)
        self.insert(connection, change.inserted)

    def remove(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Delete rows by their primary keys."""
        primary = [self.columns.index(name) for name in self._primary]
        ids = [tuple(row[place] for place in primary) for row in rows]
        for part in sql.parts(ids):
            text = sql.delete(connection.dialect.name, self.name, self._primary, len(part))
            sql.start(connection, text, sql.flat(part))

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert rows."""
        sql.insert_rows(connection, self.name, self.columns, rows)

    def _upsert(self, connection: Connection, rows: Sequence[Row]) -> None:
        for part in sql.parts(rows):
            dialect = connection.dialect.name
            inserted = sql.insert(dialect, self.name, self.columns, len(part))
            text = sql.upsert(dialect, inserted, self._primary, self._changing)
            sql.start(connection, text, sql.flat(part))

    def sorted(self, rows: Sequence[Row]) -> Entry:
        """The rows in the order of their primary keys."""
        return tuple(rows) if len(rows) < 2 else tuple(sorted(rows, key=self.id_of))  # noqa: PLR2004


class _Refused:
    """Rows that were added although others have their keys."""

    def __init__(self, rows: Rows) -> None:
        self.name = rows.name
        self.place = rows.place
        self.write = rows.insert


class RowsBy:
    """Finds the rows of `rows`, which are keyed by primary key, by a fixed column.

    With `where`, only rows that meet this condition are read, and a row that does not meet it must
    never meet it later. A row that stops meeting it in the batch is still found, so check it. Rows
    are sorted by primary key, or by the column `order`; then those that the batch adds follow.
    """

    def __init__(self, rows: Rows, column: str, *, where: str = "", order: str = "") -> None:
        self.rows = rows
        self.name = rows.name
        self._column = column
        self._tail = (f"AND {where}" if where else "") + (f" ORDER BY {order}" if order else "")
        self._is_ordered = bool(order)
        self.key_of = sql.picker(rows.columns, [column])
        rows.secondary_keys.append(self)

    def need(self, key: Key, then: Then | None = None) -> Need:
        """Name a value that a write will look for, for `Database.write`; see `Rows.need`."""
        return Need(self, key, then)

    def all(self, connection: Connection, key: Key) -> Entry:
        """All rows whose column has this value."""
        unit = unit_of(connection)
        if unit is None:
            found = [row for cursor in self.start(connection, [key]) for row in cursor.fetchall()]
            return self.entries(found, [key])[key]
        ids = dict.fromkeys(map(self.rows.key_of, unit.get(self, key)))
        ids.update(dict.fromkeys(unit.added_by(self, key)))
        rows = (row for row_id in ids for row in unit.get(self.rows, row_id))
        # A row may have been deleted, and put again with another value.
        return self._sorted([row for row in rows if self.key_of(row) == key])

    def start(self, connection: Connection, keys: Sequence[Key]) -> list[Any]:
        """Execute the statements that read the keys; return their cursors."""
        rows = self.rows
        dialect = connection.dialect.name
        names = sql.named(dialect, rows.columns)
        return [
            sql.start(connection, sql.select(dialect, rows.name, names, wanted, self._tail), values)
            for wanted, values in wanted_of((self._column,), keys)
        ]

    def entries(self, found: Iterable[Row], keys: Sequence[Key]) -> dict[Key, Entry]:
        """The rows of each of the keys among `found`."""
        groups = sql.grouped(found, self.key_of)
        return {key: self._sorted(groups.get(key, ())) for key in keys}

    def _sorted(self, rows: Sequence[Row]) -> Entry:
        return tuple(rows) if self._is_ordered else self.rows.sorted(rows)


def wanted_of(
    by: tuple[str, ...], keys: Sequence[Key]
) -> Iterable[tuple[tuple[tuple[str, int], ...], tuple[object, ...]]]:
    """How many values of which columns to look for, and these values, for each statement.

    With several columns, rows may be found that mix values of several keys: one list for each
    column lets both databases use an index on all of them.
    """
    if len(by) == 1:
        for values in sql.padded(keys):
            yield ((by[0], len(values)),), values
        return
    for some in sql.parts(keys):
        lists = [next(sql.padded(values)) for values in zip(*some, strict=True)]
        counts = zip(by, map(len, lists), strict=True)
        yield tuple(counts), sql.flat(lists)
