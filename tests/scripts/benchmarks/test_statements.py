"""How statements, round trips and commits are counted, on PostgreSQL and on SQLite."""

import asyncio
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from rich.console import Console

from discovery.clock import SystemClock
from scripts.benchmarks.shared.comparison import ComparisonPlan
from scripts.benchmarks.shared.demand import read_demand
from scripts.benchmarks.shared.measured_suite import open_suite
from scripts.benchmarks.statements import counted_suite
from scripts.benchmarks.statements.counted_turns import StatementRow, StoreShare, count_statements
from scripts.benchmarks.statements.counting_proxy import counting_proxy
from scripts.benchmarks.statements.statement_table import as_json, as_table
from scripts.benchmarks.statements.wire_messages import ConnectionCounter, StatementCount
from tests.support.store.databases import POSTGRESQL, Databases, databases_of
from tests.support.store.postgres_pool import PostgresPool

START = b"\0\0\0\x08\0\x03\0\0"
QUERY, SYNC, READY = b"Q\0\0\0\x06;\0", b"S\0\0\0\x04", b"Z\0\0\0\x05I"
COMPLETE, COMMIT = b"C\0\0\0\x0bINSERT\0", b"C\0\0\0\x0bCOMMIT\0"
# A program that makes four statements in a committed transaction, and four others.
PROGRAM = """
import sys
from sqlite3 import dbapi2
connection = dbapi2.connect(sys.argv[1], isolation_level=None)
for text in ("BEGIN IMMEDIATE", "CREATE TABLE t (x)", "INSERT INTO t VALUES (1)", "COMMIT",
             "BEGIN", "SELECT x FROM t", "ROLLBACK", "SELECT 1"):
    connection.execute(text)
"""
Session = Callable[[psycopg.Connection], None]


@pytest.fixture
def databases(postgres_pool: PostgresPool) -> Iterator[Databases]:
    """Databases of a PostgreSQL server."""
    with databases_of(POSTGRESQL, lambda: postgres_pool) as found:
        yield found


async def counted(url: str, session: Session) -> StatementCount:
    """What a session sends to the database once it is connected."""

    def run(through: str) -> StatementCount:
        with psycopg.connect(through, autocommit=True) as connection:
            before = replace(proxy.count)
            session(connection)
            # The answer has passed the proxy, so it was counted.
            now = proxy.count
            return StatementCount(
                now.statements - before.statements,
                now.statements_in_commits - before.statements_in_commits,
                now.round_trips - before.round_trips,
                now.round_trips_in_commits - before.round_trips_in_commits,
                now.commits - before.commits,
            )

    async with counting_proxy(url) as proxy:
        return await asyncio.to_thread(run, proxy.url)


def commit_three_texts(connection: psycopg.Connection) -> None:
    """A transaction of seven statements in three texts, and a statement after it."""
    connection.pgconn.exec_(b"BEGIN; SELECT 1; SELECT 2")
    connection.pgconn.exec_(b"SAVEPOINT one; SELECT 3")
    connection.pgconn.exec_(b"RELEASE one; COMMIT")
    connection.execute("SELECT %s", (4,))


def send_five_together(connection: psycopg.Connection) -> None:
    """Five statements in a pipeline."""
    with connection.pipeline():
        for number in range(5):
            connection.execute("SELECT %s::int", (number,))


def fail(connection: psycopg.Connection) -> None:
    """A transaction that fails and is rolled back."""
    with pytest.raises(psycopg.Error):
        connection.execute("BEGIN; SELECT 1 / 0")
    connection.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        (commit_three_texts, StatementCount(8, 7, 4, 3, 1)),
        (send_five_together, StatementCount(5, 0, 1, 0, 0)),
        (fail, StatementCount(3, 0, 2, 0, 0)),
    ],
)
async def test_a_round_trip_is_what_is_asked_at_once(
    databases: Databases, session: Session, expected: StatementCount
) -> None:
    """A text or a pipeline of several statements is one round trip, and all of its statements
    count.
    """
    assert await counted(databases.url(), session) == expected


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1_000])
def test_messages_are_counted_however_they_are_cut(chunk_bytes: int) -> None:
    """A message may arrive in pieces, and several in one piece."""
    count = StatementCount()
    counter = ConnectionCounter(count)

    def pieces(data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), chunk_bytes):
            yield data[start : start + chunk_bytes]

    for sent, answered in (
        (START, READY),
        (QUERY, COMPLETE + COMMIT + READY),
        (SYNC + SYNC, COMPLETE + READY + READY),
    ):
        for piece in pieces(sent):
            counter.sent(piece)
        for piece in pieces(answered):
            counter.answered(piece)

    assert count == StatementCount(3, 2, 2, 1, 1)


def test_a_program_that_knows_nothing_of_it_is_counted(tmp_path: Path) -> None:
    """Python imports the counter before the program, by a variable of its environment alone."""
    letters = tmp_path / "letters"
    letters.mkdir()
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "notes.db")],
        env=counted_suite.tracing(letters),
        check=True,
    )

    assert Counter((letters / "notes").read_text()) == {"w": 3, "C": 1, "r": 4}


async def test_a_suite_on_a_server_is_counted(tmp_path: Path) -> None:
    """The services' databases have round trips; the processor keeps its file."""
    demand, clock, rng = read_demand(), SystemClock(), random.Random(8)
    plan = ComparisonPlan(concurrencies=(2,), orders=3, rounds=1)
    async with open_suite(
        tmp_path, demand, postgres=True, clock=clock, rng=rng, instances=1
    ) as suite:
        counting = count_statements(suite, "suite", demand, plan, clock=clock, rng=rng)
        (found,) = [row async for row in counting]

    stores = dict(found.stores)
    processor = stores.pop("processor")
    assert processor.round_trips is None
    assert processor.commits > 0
    assert stores.keys() == {"order", "inventory", "payment"}
    for store in stores.values():
        assert store.round_trips is not None
        assert store.round_trips_in_commits is not None
        assert store.statements > store.statements_in_commits > store.commits > 0
        assert store.round_trips > store.round_trips_in_commits > store.commits


def test_the_table_sums_up_the_stores() -> None:
    """The table shows each store and the sum; round trips are those of the stores that have any."""
    shares = {
        "order": StoreShare(30.0, 20.0, 12.0, 8.0, 2.0),
        "processor": StoreShare(8.0, 8.0, None, None, 1.5),
    }
    found = StatementRow("suite on postgres", 8, 20, shares)
    console = Console(file=StringIO(), width=200, record=True)
    console.print(as_table([found]))
    lines = [line.replace("│", " ").split() for line in console.export_text().splitlines()]

    assert ["suite", "on", "postgres", "order", "30.0", "20.0", "12.0", "8.0", "2.0"] in lines
    assert ["8", "at", "once", "processor", "8.0", "8.0", "-", "-", "1.5"] in lines
    assert ["total", "38.0", "28.0", "12.0", "8.0", "3.5"] in lines
    assert as_json(found)["ours"] == 38.0
    assert as_json(found)["conditions"]["stores"]["processor"]["round_trips"] is None
