"""How SQLite carries out the statements of a read."""

from collections.abc import Callable
from typing import Any, cast

from sqlalchemy import Connection

# It has one row.
_SMALL = "event_counter"


def steps_of(connection: Connection, read: Callable[[Connection], object]) -> list[str]:
    """How the statements of a read look for rows, a step for each table: "SEARCH t USING ..."."""
    driver = cast(Any, connection.connection).dbapi_connection
    statements = statements_of(connection, read)
    tables = {name for (name,) in driver.execute("SELECT name FROM sqlite_master")} - {_SMALL}
    plan = [step[3] for each in statements for step in driver.execute(f"EXPLAIN QUERY PLAN {each}")]
    return [step for step in plan if tables.intersection(step.split()[1:2])]


def statements_of(connection: Connection, read: Callable[[Connection], object]) -> list[str]:
    """The statements that a read sends to SQLite."""
    driver = cast(Any, connection.connection).dbapi_connection
    statements: list[str] = []
    driver.set_trace_callback(statements.append)
    read(connection)
    driver.set_trace_callback(None)
    return statements
