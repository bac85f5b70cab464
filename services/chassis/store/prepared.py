"""SQLAlchemy Core statements that are compiled once and executed directly by the driver.

SQLAlchemy's execution takes several times as long as SQLite itself takes for an insert or a lookup
by key, and it would take that time on the only writer thread. Frequent statements are therefore
written in Core, for every database, but executed without it. Values are the driver's own: a
Boolean column reads as 0 or 1 on SQLite.

A list of an `IN` cannot be bound as one parameter, so each length needs its own text. Lengths are
rounded up to a power of two; the list is padded with its last value, which does not change the
result.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    ClauseElement,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    Table,
    bindparam,
)
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import iterate

from services.chassis.store.unit.unit import before_statement


class Prepared:
    """One statement with named `bindparam`s, compiled once for each dialect.

    Make it at module level. It raises the driver's errors. For a list in an `IN`, use `PreparedIn`.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}
        self._reads, self._writes = tables_of(statement)

    def first(self, connection: Connection, **values: object) -> Any:
        """The first row as a tuple; None if there is no row."""
        cursor = self._execute(connection, values)
        row = cursor.fetchone()
        # An unfinished statement would keep SQLite's snapshot open after the transaction.
        cursor.close()
        return row

    def all(self, connection: Connection, **values: object) -> Sequence[Any]:
        """All rows as tuples."""
        return self._execute(connection, values).fetchall()

    def change(self, connection: Connection, **values: object) -> int:
        """Execute the statement; return the number of changed rows."""
        return int(self._execute(connection, values).rowcount)

    def change_each(self, connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Execute the statement once for each of `rows`."""
        if len(rows) == 1:
            # psycopg's executemany opens a pipeline, and needs a round trip to end it.
            self._execute(connection, rows[0])
            return
        before_statement(connection, self._reads, self._writes)
        compiled = self._for(connection)
        _driver(connection).cursor().executemany(compiled.text, list(map(compiled.bound, rows)))

    def _execute(self, connection: Connection, values: Mapping[str, object]) -> DBAPICursor:
        before_statement(connection, self._reads, self._writes)
        compiled = self._for(connection)
        cursor = _driver(connection).cursor()
        cursor.execute(compiled.text, compiled.bound(values))
        return cursor

    def _for(self, connection: Connection) -> "_Compiled":
        name = connection.dialect.name
        compiled = self._compiled.get(name)
        if compiled is None:
            text = self._statement.compile(dialect=connection.dialect)
            compiled = self._compiled[name] = _Compiled(cast(SQLCompiler, text))
        return compiled


class PreparedIn:
    """`statement` restricted to rows whose `column` is one of the values of each call.

    `around` makes the whole statement of a restricted one.
    """

    def __init__(
        self,
        statement: Select[Any],
        column: ColumnElement[Any],
        around: Callable[[Select[Any]], Select[Any]] = lambda restricted: restricted,
    ) -> None:
        self._statement = statement
        self._column = column
        self._around = around
        self._by_length: dict[int, Prepared] = {}

    def all(
        self, connection: Connection, values: Sequence[object], **others: object
    ) -> Sequence[Any]:
        """All rows as tuples; none for an empty list. `others` are the other parameters."""
        if not values:
            return ()
        length = 1 << (len(values) - 1).bit_length()
        bound = {f"in_{index}": value for index, value in enumerate(values)}
        bound.update((f"in_{index}", values[-1]) for index in range(len(values), length))
        return self._of(length).all(connection, **bound, **others)

    def _of(self, length: int) -> Prepared:
        if length not in self._by_length:
            parameters: list[BindParameter[Any]] = [
                bindparam(f"in_{index}") for index in range(length)
            ]
            restricted = self._statement.where(self._column.in_(parameters))
            self._by_length[length] = Prepared(self._around(restricted))
        return self._by_length[length]


class _Compiled:
    """The text of a statement, and a function that orders its values for the driver."""

    def __init__(self, compiled: SQLCompiler) -> None:
        self.text = str(compiled)
        constants = {
            name: bound.effective_value
            for name, bound in compiled.binds.items()
            if not bound.required
        }
        self.bound = _binder(compiled.positiontup, constants)


def tables_of(statement: ClauseElement) -> tuple[frozenset[str], str | None]:
    """The tables that a statement reads, and the one that it writes: "" if that is not known."""
    if isinstance(statement, Select | CompoundSelect):
        return frozenset(table.name for table in _tables_in(statement)), None
    table = getattr(statement, "table", None)
    return frozenset(), "" if table is None else table.name


def _tables_in(statement: ClauseElement) -> Iterator[Table]:
    return (each for each in iterate(statement) if isinstance(each, Table))


def _binder(
    order: Sequence[str] | None, constants: Mapping[str, object]
) -> Callable[[Mapping[str, object]], Any]:
    """Make the function from values by name to the driver's parameters.

    That function raises KeyError for a missing value. `order` is None for a driver that takes
    named parameters.
    """
    pick: Callable[[Mapping[str, object]], Any]
    match order:
        case None:
            pick = dict
        case ():
            pick = _nothing
        case (name,):
            pick = _single(name)
        case _:
            pick = itemgetter(*order)
    if not constants:
        return pick
    return lambda values: pick({**constants, **values})


def _nothing(_: Mapping[str, object]) -> tuple[object, ...]:
    return ()


def _single(name: str) -> Callable[[Mapping[str, object]], tuple[object, ...]]:
    return lambda values: (values[name],)


def _driver(connection: Connection) -> DBAPIConnection:
    driver: Any = connection.connection.dbapi_connection
    return driver  # type: ignore[no-any-return]  # `cast` would cost a call for each statement
