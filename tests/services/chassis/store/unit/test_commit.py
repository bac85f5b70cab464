"""A COMMIT whose answer is lost stays unknown: nobody is told a result, and nothing runs again."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy import Connection

from services.chassis.store.database import Database, StoreUnavailableError
from services.chassis.store.dialect import Dialect
from services.chassis.store.urls import dialect_of
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import SQLITE, Databases, Gate
from tests.support.store.shop_database import opened_shop
from tests.support.store.shop_tables import ITEMS, all_rows


class LostAnswers:
    """A dialect whose COMMITs succeed, but whose answers are lost while there is an `error`."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dialect, name)

    def commit(self, connection: Connection) -> None:
        """Commit; raise the error, if there is one."""
        self._dialect.commit(connection)
        if self.error is not None:
            raise self.error


def lost_connection(kind: str) -> Exception:
    """What a driver raises for a failure of the store."""
    if kind != SQLITE:
        return psycopg.OperationalError("the connection is lost")
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    return error


@pytest.fixture
async def answers(databases: Databases) -> LostAnswers:
    """The dialect of a shop."""
    async with opened_shop(databases):
        return LostAnswers(dialect_of(databases.url()))


@pytest.fixture
async def database(answers: LostAnswers) -> AsyncIterator[Database]:
    """The shop's database, opened with this dialect."""
    opened = Database(
        cast(Dialect, answers),
        clock=ManualClock(),
        owner="test",
        readers=1,
        queue_max=10,
        lock_wait_s=2.0,
    )
    yield opened
    await opened.close()


@pytest.mark.parametrize("is_store_failure", [True, False], ids=["store", "other"])
async def test_an_unknown_commit_fails_every_caller_and_runs_nothing_again(
    databases: Databases, database: Database, answers: LostAnswers, *, is_store_failure: bool
) -> None:
    """Every caller gets StoreUnavailableError, also one whose write was refused."""
    runs: list[str] = []

    def put(connection: Connection, item: str) -> None:
        runs.append(item)
        ITEMS.put(connection, {"id": item, "shelf": "low", "amount": 1, "label": None})

    def refuse(_: Connection) -> None:
        runs.append("refused")
        raise LookupError

    gate = Gate()
    first = asyncio.create_task(database.write(gate))
    await gate.entered()
    calls: list[asyncio.Task[None]] = [
        asyncio.create_task(database.write(put, "tea")),
        asyncio.create_task(database.write(refuse)),
        asyncio.create_task(database.write(put, "rye")),
    ]
    await asyncio.sleep(0)
    answers.error = lost_connection(databases.kind) if is_store_failure else OSError("lost")
    gate.open()

    results = await asyncio.gather(first, *calls, return_exceptions=True)
    assert [type(result) for result in results] == [StoreUnavailableError] * 4
    assert runs == ["tea", "refused", "rye"]
    answers.error = None
    await database.write(put, "beer")
    found = [row[0] for row in (await database.read(all_rows))["item"]]
    assert found == ["beer", "labelled", "milk", "rye", "tea"]
