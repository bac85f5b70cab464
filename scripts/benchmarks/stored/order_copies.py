"""Copies the orders in the databases of a stopped suite until there are enough.

A few real orders were placed through the API. Each copy of their rows gets new ids and is a whole
order, with its reservation, payment, ledger and processor entries, so the books balance over all of
them. Placing a million orders would take half a day.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from sqlalchemy import Connection, create_engine, make_url, text

from scripts.benchmarks.stored.order_tables import SOURCES, TOTALS, SourceTable
from scripts.benchmarks.stored.row_templates import (
    SQL_DIALECTS,
    RowTemplates,
    copy_statement,
    template_of,
)

# Rows of one transaction; all of them at once would be too much for the database and its log.
CHUNK_ROWS = 200_000
# The copies need no checks of constraints, and no durability before the end.
_BEFORE = {
    "sqlite": (
        "PRAGMA journal_mode=OFF",
        "PRAGMA synchronous=OFF",
        "PRAGMA cache_size=-200000",
        "PRAGMA temp_store=MEMORY",
    ),
    "postgresql": (
        "SET session_replication_role = replica",
        "SET synchronous_commit = off",
    ),
}
# What a PostgreSQL server would otherwise do during the measurement. A SQLite file becomes a
# write-ahead log again when a service opens it as its writer.
_AFTER = {"sqlite": (), "postgresql": ("VACUUM (ANALYZE)", "CHECKPOINT")}


def copy_orders(urls: Mapping[str, str], orders: int) -> int:
    """Copy the orders until there are at least `orders`; return their number.

    `urls` are those of the services' databases and of the processor's; no other process may use
    them. All orders must be settled, none may be a copy, and the customer summary must hold them.
    """
    with ExitStack() as stack:
        connections = {store: stack.enter_context(_connected(urls[store])) for store in SOURCES}
        originals = _number(connections["order"], "SELECT count(*) FROM order_view")
        copies = max(0, -(-orders // originals) - 1)
        with ThreadPoolExecutor() as pool:
            for done in [
                pool.submit(_copy, connections[store], SOURCES[store], copies) for store in SOURCES
            ]:
                done.result()
        heads = {
            f"{store}_head": _number(connections[store], "SELECT max(position) FROM event")
            for store in ("order", "inventory", "payment")
        }
        for store, totals in TOTALS.items():
            for total in totals:
                connections[store].execute(text(total), {"times": copies + 1, **heads})
            for command in _AFTER[connections[store].dialect.name]:
                connections[store].exec_driver_sql(command)
    return originals * (copies + 1)


def _copy(connection: Connection, sources: Sequence[SourceTable], copies: int) -> None:
    # Read all templates before any copy is written: some tables are numbered after others.
    for templates in [_forms(connection, source) for source in sources]:
        insert = text(copy_statement(templates, SQL_DIALECTS[connection.dialect.name], copies))
        at_once = max(1, CHUNK_ROWS // max(1, len(templates.rows)))
        for first in range(1, copies + 1, at_once):
            last = min(copies, first + at_once - 1)
            connection.execute(insert, {"first": first, "last": last})
        _advance_sequence(connection, templates)


def _forms(connection: Connection, source: SourceTable) -> RowTemplates:
    """Read the rows of a table and store them as templates in a temporary table."""
    query = f"SELECT * FROM {source.table} WHERE {source.where}"  # noqa: S608
    found = connection.execute(text(query))
    columns = list(found.keys())
    span = 0
    if column := source.numbered:
        numbers = f"SELECT max({column}) - min({column}) + 1 FROM {source.numbered_like}"  # noqa: S608
        span = _number(connection, numbers)
    rows = [template_of(row) for row in found]
    templates = RowTemplates(source.table, columns, rows, source.numbered, span)
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE {templates.template_table}"  # noqa: S608
        f" AS SELECT * FROM {source.table} WHERE 1 = 0"
    )
    cells = ", ".join(f":{column}" for column in columns)
    insert = text(f"INSERT INTO {templates.template_table} VALUES ({cells})")  # noqa: S608
    for row in rows:
        connection.execute(insert, dict(zip(columns, row, strict=True)))
    return templates


def _advance_sequence(connection: Connection, templates: RowTemplates) -> None:
    """Set a PostgreSQL sequence behind the copies; a column without a sequence stays as it is."""
    if templates.numbered and connection.dialect.name == "postgresql":
        counter = f"pg_get_serial_sequence('{templates.table}', '{templates.numbered}')"
        highest = f"(SELECT max({templates.numbered}) FROM {templates.table})"  # noqa: S608
        connection.exec_driver_sql(f"SELECT setval({counter}, {highest})")


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    """A connection in autocommit mode."""
    address = make_url(url)
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for command in _BEFORE[engine.dialect.name]:
            connection.exec_driver_sql(command)
        yield connection
    engine.dispose()


def _number(connection: Connection, query: str) -> int:
    return int(connection.execute(text(query)).scalar_one())
