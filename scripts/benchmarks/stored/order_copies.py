"""Fills the databases of a stopped suite with orders that were made long ago.

Some real orders are placed through the API, and their rows copied as often as it takes, with new
ids: each copy is a whole order with its reservation, its payment, its ledger and its processor's
entries, so the books balance over all of them. Placing a million would take contender a day.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from sqlalchemy import Connection, create_engine, make_url, text

from scripts.benchmarks.stored.order_tables import SOURCES, TOTALS, SourceTable
from scripts.benchmarks.stored.row_templates import SQL_DIALECTS, RowTemplates, copying, template_of

# Rows of one transaction, so that neither a database nor its log has to hold all of them.
CHUNK_ROWS = 200_000
# Of our own copies nothing has to be checked, and nothing be durable before the last.
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
# What a server would do in the minutes after, when it is measured. A service that opens a file as
# its writer makes its journal a write-ahead log again.
_AFTER = {"sqlite": (), "postgresql": ("VACUUM (ANALYZE)", "CHECKPOINT")}


def fill(urls: Mapping[str, str], orders: int) -> int:
    """Copy what orders there are until they are at least so many; returns how many they are.

    `urls` are those of the services' databases and of the processor's, which nobody else uses.
    All orders must be settled, none be a copy, and the customer summary have taken them in.
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
    # Before anything is written, or the second table would go on from the first.
    for templates in [_forms(connection, source) for source in sources]:
        insert = text(copying(templates, SQL_DIALECTS[connection.dialect.name], copies))
        at_once = max(1, CHUNK_ROWS // max(1, len(templates.rows)))
        for first in range(1, copies + 1, at_once):
            last = min(copies, first + at_once - 1)
            connection.execute(insert, {"first": first, "last": last})
        _count_on(connection, templates)


def _forms(connection: Connection, source: SourceTable) -> RowTemplates:
    """Read the rows, and put them back as templates in a table beside theirs."""
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


def _count_on(connection: Connection, templates: RowTemplates) -> None:
    """A server's own counters go on behind the copies; a column without one has none."""
    if templates.numbered and connection.dialect.name == "postgresql":
        counter = f"pg_get_serial_sequence('{templates.table}', '{templates.numbered}')"
        highest = f"(SELECT max({templates.numbered}) FROM {templates.table})"  # noqa: S608
        connection.exec_driver_sql(f"SELECT setval({counter}, {highest})")


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    """A connection on which every statement is a transaction of its own."""
    place = make_url(url)
    if place.drivername == "postgresql":
        place = place.set(drivername="postgresql+psycopg")
    engine = create_engine(place, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for command in _BEFORE[engine.dialect.name]:
            connection.exec_driver_sql(command)
        yield connection
    engine.dispose()


def _number(connection: Connection, query: str) -> int:
    return int(connection.execute(text(query)).scalar_one())
