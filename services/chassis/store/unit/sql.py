"""Texts of statements on many rows at once, and their execution by the driver.

The number of values in a text is rounded: up to a power of two for a list that is read, whose last
value is repeated; to a sum of powers of two for rows that are written. So each statement has few
texts, which the drivers keep prepared.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import Connection
from sqlalchemy.dialects import registry

Row: TypeAlias = tuple[Any, ...]

# Rows of one INSERT, and values of one IN; above them, another statement.
_ROWS_MAX = 64
_VALUES_MAX = 512

# psycopg binds %s, sqlite3 binds ?.
_MARKS = {"postgresql": "%s", "sqlite": "?"}
_DIALECTS = {"postgresql": "postgresql.psycopg", "sqlite": "sqlite"}


def start(connection: Connection, text: str, values: Sequence[object]) -> Any:
    """Execute a statement; return the cursor, whose rows are not fetched yet."""
    driver: Any = connection.connection.dbapi_connection
    cursor = driver.cursor()
    cursor.execute(text, values)
    return cursor


def parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Split rows into parts whose lengths are powers of two."""
    begin = 0
    while begin < len(rows):
        size = min(_ROWS_MAX, 1 << ((len(rows) - begin).bit_length() - 1))
        yield rows[begin : begin + size]
        begin += size


def padded(values: Iterable[object]) -> Iterator[tuple[object, ...]]:
    """Split distinct values into parts whose lengths are powers of two, the last one filled up."""
    distinct = tuple(dict.fromkeys(values))
    for begin in range(0, len(distinct), _VALUES_MAX):
        part = distinct[begin : begin + _VALUES_MAX]
        size = 1 << (len(part) - 1).bit_length()
        yield part + part[-1:] * (size - len(part))


def flat(rows: Iterable[Row]) -> tuple[object, ...]:
    """The values of all rows, one after the other."""
    return tuple(chain.from_iterable(rows))


@cache
def named(dialect: str, names: tuple[str, ...]) -> str:
    """A list of column names, quoted where the database needs it."""
    return ", ".join(quoted(dialect, names))


def marks(dialect: str, number: int) -> str:
    """A list of so many parameters, in brackets."""
    return f"({', '.join([_MARKS[dialect]] * number)})"


def insert_rows(
    connection: Connection, table: str, columns: tuple[str, ...], rows: Sequence[Row]
) -> None:
    """Insert rows, with as few statements as there are parts."""
    for part in parts(rows):
        start(connection, insert(connection.dialect.name, table, columns, len(part)), flat(part))


def grouped(rows: Iterable[Row], key_of: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    """Rows by the key of each, in their order."""
    groups: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key_of(row)].append(row)
    return groups


@cache
def insert(dialect: str, table: str, columns: tuple[str, ...], number: int) -> str:
    """The text that inserts so many rows."""
    values = ", ".join([marks(dialect, len(columns))] * number)
    into = f"{named(dialect, (table,))} ({named(dialect, columns)})"
    return f"INSERT INTO {into} VALUES {values}"  # noqa: S608 - names of our own


@cache
def upsert(dialect: str, inserted: str, primary: tuple[str, ...], changing: tuple[str, ...]) -> str:
    """The text of an insert that writes the `changing` columns of rows that exist."""
    changes = ", ".join(f"{each} = excluded.{each}" for each in quoted(dialect, changing))
    return f"{inserted} ON CONFLICT ({named(dialect, primary)}) DO UPDATE SET {changes}"


@cache
def delete(dialect: str, table: str, primary: tuple[str, ...], number: int) -> str:
    """The text that deletes so many rows by their primary keys."""
    if len(primary) == 1:
        wanted = f"{named(dialect, primary)} IN {marks(dialect, number)}"
    else:
        each = " AND ".join(f"{name} = {_MARKS[dialect]}" for name in quoted(dialect, primary))
        wanted = " OR ".join([f"({each})"] * number)
    return f"DELETE FROM {named(dialect, (table,))} WHERE {wanted}"  # noqa: S608 - names of our own


@cache
def select(
    dialect: str, table: str, columns: str, wanted: tuple[tuple[str, int], ...], tail: str = ""
) -> str:
    """The text that reads rows whose columns have one of so many values each.

    `tail` follows the conditions.
    """
    conditions = " AND ".join(
        f"{named(dialect, (name,))} IN {marks(dialect, number)}" for name, number in wanted
    )
    text = f"SELECT {columns} FROM {named(dialect, (table,))}"  # noqa: S608 - names of our own
    return f"{text} WHERE {conditions} {tail}"


def row_maker(columns: Sequence[str]) -> Callable[[Mapping[str, object]], Row]:
    """The function that makes a row of values by column. Raises KeyError for a missing value."""
    if len(columns) == 1:
        (column,) = columns
        return lambda values: (values[column],)
    return itemgetter(*columns)


def picker(columns: Sequence[str], names: Sequence[str]) -> Callable[[Row], Any]:
    """The function that picks columns from a row: a value for one name, else a tuple."""
    places = [columns.index(name) for name in names]
    return itemgetter(*places) if places else lambda _: ()


def quoted(dialect: str, names: Iterable[str]) -> list[str]:
    """Names of tables or columns, quoted where the database needs it."""
    return list(map(_quote(dialect), names))


@cache
def _quote(dialect: str) -> Callable[[str], str]:
    quote: Callable[[str], str] = registry.load(_DIALECTS[dialect])().identifier_preparer.quote
    return quote
