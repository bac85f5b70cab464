"""A SQLAlchemy Core statement, compiled once and then sent straight to the driver.

Executing through SQLAlchemy costs several times what SQLite itself needs for an insert or a
look-up by key, on the one thread that writes. A hot statement is still written in Core, so it is
the same for every database; only its execution skips the toolkit. Values pass as the driver
gives them: a Boolean column answers 0 or 1 on SQLite.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import ClauseElement, Connection
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.sql.compiler import SQLCompiler


class Prepared:
    """One statement with named `bindparam`s, for every dialect that it meets.

    Make it at module level. Errors are the driver's own. A list for `IN` can't be bound: such
    a statement has another text for each length.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def first(self, connection: Connection, **values: object) -> Any:
        """The first row as a tuple; None where there is none."""
        cursor = self._execute(connection, values)
        row = cursor.fetchone()
        # A statement that still has rows to give keeps SQLite's snapshot, beyond the transaction.
        cursor.close()
        return row

    def all(self, connection: Connection, **values: object) -> Sequence[Any]:
        """All rows as tuples."""
        return self._execute(connection, values).fetchall()

    def change(self, connection: Connection, **values: object) -> int:
        """Execute, and answer how many rows were changed."""
        return int(self._execute(connection, values).rowcount)

    def change_each(self, connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Execute once for each of `rows`."""
        if len(rows) == 1:
            # psycopg makes a pipeline of many, with a round trip to end it.
            self._execute(connection, rows[0])
            return
        compiled = self._for(connection)
        _driver(connection).cursor().executemany(compiled.text, list(map(compiled.bound, rows)))

    def _execute(self, connection: Connection, values: Mapping[str, object]) -> DBAPICursor:
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


class _Compiled:
    """The text of a statement, and the order in which the driver wants its values."""

    def __init__(self, compiled: SQLCompiler) -> None:
        self.text = str(compiled)
        constants = {
            name: bound.effective_value
            for name, bound in compiled.binds.items()
            if not bound.required
        }
        self.bound = _binder(compiled.positiontup, constants)


def _binder(
    order: Sequence[str] | None, constants: Mapping[str, object]
) -> Callable[[Mapping[str, object]], Any]:
    """From values by name to values as the driver takes them: raises KeyError for a missing one.

    `order` is None where the driver takes names itself.
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
    return driver  # type: ignore[no-any-return]  # `cast` would be a call for each statement
