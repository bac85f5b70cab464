"""The text of an unexpected database error names the statement, but no stored value."""

import io
import json
from collections.abc import Callable

import pytest
import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from discovery.clock import SystemClock
from services.chassis.store.database import Database
from services.chassis.telemetry import logs
from tests.support.store.databases import Databases

CREATE = text(
    "CREATE TABLE mails (id INTEGER PRIMARY KEY, body TEXT CHECK (body <> 'sent'), note TEXT)"
)
INSERT = text("INSERT INTO mails VALUES (:id, :body, :note)")
ID, VALUE = 1_234_567, "canary\n\ncanary"


def create(connection: Connection) -> None:
    """Create the table."""
    connection.execute(CREATE)


def insert_twice(connection: Connection) -> None:
    """Insert a row twice."""
    for _ in range(2):
        connection.execute(INSERT, {"id": ID, "body": VALUE, "note": VALUE})


def insert_refused(connection: Connection) -> None:
    """Insert a row that a constraint refuses; PostgreSQL repeats the row in the details."""
    connection.execute(INSERT, {"id": ID, "body": "sent", "note": VALUE})


@pytest.mark.parametrize("function", [insert_twice, insert_refused])
async def test_a_logged_error_repeats_no_stored_value(
    databases: Databases, function: Callable[[Connection], None]
) -> None:
    """Neither the parameters nor PostgreSQL's DETAIL are in the log; the statement is."""
    database = await Database.open(databases.url(), clock=SystemClock(), owner="test")
    await database.write(create)
    with pytest.raises(IntegrityError) as failed:
        await database.write(function)
    await database.close()
    before, stream = structlog.get_config(), io.StringIO()
    logs.configure(stream=stream)
    try:
        logs.get_logger("test").error("failed", exc_info=failed.value)
    finally:
        structlog.configure(**before)

    line = json.loads(stream.getvalue())
    assert "INSERT INTO mails" in line["exception"]
    assert "canary" not in line["exception"]
    assert str(ID) not in line["exception"]
