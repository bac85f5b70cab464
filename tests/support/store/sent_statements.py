"""What a writer sends to its database: the statements on SQLite, round trips on PostgreSQL."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from tempfile import TemporaryFile
from typing import IO

import psycopg
from sqlalchemy import Connection

from services.chassis.store.database import Database


class SentStatements:
    """What was sent while a block ran: texts of SQLite's statements, or PostgreSQL's round trips.

    A round trip is a wait for the server: messages were sent, and then others received.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.round_trips = 0


@asynccontextmanager
async def sent_by(database: Database) -> AsyncIterator[SentStatements]:
    """Record what the writer of a database sends in this block; complete after the block."""
    found = SentStatements()
    with TemporaryFile() as trace:

        def begin(connection: Connection) -> None:
            driver = _driver(connection)
            if isinstance(driver, sqlite3.Connection):
                driver.set_trace_callback(found.texts.append)
            elif isinstance(driver, psycopg.Connection):
                driver.pgconn.trace(trace.fileno())

        def end(connection: Connection) -> None:
            driver = _driver(connection)
            if isinstance(driver, sqlite3.Connection):
                driver.set_trace_callback(None)
            elif isinstance(driver, psycopg.Connection):
                driver.pgconn.untrace()

        await database.write(begin)
        yield found
        await database.write(end)
        # The first COMMIT and the last BEGIN are those of the two writes above.
        del found.texts[:1], found.texts[-1:]
        found.round_trips = _turns(trace) - 2


def _driver(connection: Connection) -> object:
    return connection.connection.dbapi_connection


def _turns(trace: IO[bytes]) -> int:
    """How often libpq's trace, a line for each message, turns from sending to receiving."""
    trace.seek(0)
    directions = [line.split(b"\t")[1] for line in trace.read().splitlines()]
    return list(pairwise(directions)).count((b"F", b"B"))
