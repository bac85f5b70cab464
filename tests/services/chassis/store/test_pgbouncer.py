"""A service behind a PgBouncer that gives each transaction another session of the server."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Connection

from services.chassis.store.database import Database, DatabaseSettingsError
from services.chassis.store.urls import dialect_of
from tests.support.chassis.event_consumer import consumer
from tests.support.chassis.event_source import event_source
from tests.support.clock.manual_clock import ManualClock
from tests.support.limits import WAIT_S
from tests.support.store.databases import (
    POSTGRESQL,
    Databases,
    databases_of,
    opened_database,
)
from tests.support.store.note_table import create_notes
from tests.support.store.pgbouncer import PooledDatabases
from tests.support.store.postgres_pool import PostgresPool

ORDERS = 20


@pytest.fixture
def databases(pooled: PooledDatabases) -> Iterator[Databases]:
    """Databases behind PgBouncer."""
    yield pooled
    pooled.give_back()


def setting(connection: Connection, name: str) -> str:
    """A setting of the session."""
    return str(connection.exec_driver_sql(f"SHOW {name}").scalar_one())


async def test_instances_that_share_sessions_repeat_their_statements(databases: Databases) -> None:
    """Statements are executed often by several instances, and a subscription follows them."""
    async with (
        event_source(databases) as one,
        event_source(databases, owner="second") as two,
        consumer(databases, two.channel) as applied,
        asyncio.timeout(WAIT_S),
    ):
        # One after another, so that both writers get the same session in turn.
        for number in range(ORDERS):
            for source in (one, two):
                await source.append(f"ord_{number}", "Placed")
        await applied.wait_for_position(2 * ORDERS)
        assert await applied.notes() == {
            f"ord_{number}": ["Placed", "Placed"] for number in range(ORDERS)
        }


async def test_settings_hold_for_our_transactions_alone(databases: Databases) -> None:
    """A write has its time limits; another client of the same sessions does not get them."""
    async with opened_database(databases) as database:
        await database.write(create_notes)
        assert await database.write(setting, "lock_timeout") == "2s"
        assert await database.write(setting, "synchronous_commit") == "on"
        for snapshot in (True, False):
            read_only = await database.read(setting, "transaction_read_only", snapshot=snapshot)
            assert read_only == "on"
        with psycopg.connect(databases.url(), autocommit=True) as other:
            for name, usual in (("lock_timeout", "0"), ("default_transaction_read_only", "off")):
                assert other.execute(f"SHOW {name}".encode()).fetchone() == (usual,)


async def test_a_direct_connection_keeps_its_prepared_statements(
    postgres_pool: PostgresPool,
) -> None:
    """Without a pooler statements are prepared, unless the URL says that there is one."""

    def prepared(connection: Connection) -> int:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        for _ in range(5):
            driver.cursor().execute("SELECT count(*) FROM pg_prepared_statements")
        row = driver.cursor().execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
        return int(row[0])

    with databases_of(POSTGRESQL, lambda: postgres_pool) as direct:
        url = direct.url()
        for parameter, number in (("", 1), ("&pooler=session", 1), ("&pooler=transaction", 0)):
            database = await Database.open(url + parameter, clock=ManualClock(), owner="test")
            assert await database.write(prepared) == number
            await database.close()


def test_an_unknown_pooler_is_refused() -> None:
    """The error of another value names the parameter of the URL and the values that it takes."""
    with pytest.raises(DatabaseSettingsError, match="pooler of the URL must be one of auto, sess"):
        dialect_of("postgresql://host/order?pooler=statement")
