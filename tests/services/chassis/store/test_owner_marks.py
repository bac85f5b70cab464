"""A database knows whether a process that marked itself in it has ended."""

import asyncio

import pytest

from discovery.clock import SystemClock
from services.chassis.store.database import Database, StoreUnavailableError
from tests.support.limits import WAIT_S
from tests.support.store.databases import KINDS, POSTGRESQL, Databases, open_database
from tests.support.store.note_table import create_notes

PGBOUNCER = pytest.mark.parametrize("databases", ["pgbouncer"], indirect=True)


@pytest.mark.parametrize("databases", KINDS, indirect=True)
async def test_a_mark_ends_when_its_database_is_closed(databases: Databases) -> None:
    """An owner has not ended while it holds its mark, and has ended once it closed its database."""
    ours = await open_database(databases)
    theirs = await open_database(databases)
    try:
        assert await theirs.mark_owner("payment-1/run_1")
        assert not await ours.has_ended("payment-1/run_1")
        assert await ours.has_ended("payment-1/run_2")
    finally:
        await theirs.close()
    try:
        async with asyncio.timeout(WAIT_S):
            while not await ours.has_ended("payment-1/run_1"):
                pass
    finally:
        await ours.close()


@pytest.mark.parametrize("databases", KINDS, indirect=True)
async def test_marking_again_keeps_the_mark(databases: Databases) -> None:
    """An owner may mark itself again; it then still holds its mark."""
    ours = await open_database(databases)
    theirs = await open_database(databases)
    try:
        assert await theirs.mark_owner("order-1")
        assert await theirs.mark_owner("order-1")
        assert not await ours.has_ended("order-1")
    finally:
        await theirs.close()
        await ours.close()


@pytest.mark.parametrize("databases", [POSTGRESQL], indirect=True)
async def test_a_new_session_takes_the_mark_over(databases: Databases) -> None:
    """When the server ends the session with the mark, the owner's next session has it."""
    ours = await open_database(databases)
    theirs = await open_database(databases)
    try:
        await theirs.mark_owner("order-1")
        with pytest.raises(StoreUnavailableError):
            await theirs.write(
                lambda connection: connection.exec_driver_sql(
                    "SELECT pg_terminate_backend(pg_backend_pid())"
                )
            )
        await theirs.write(create_notes)
        assert not await ours.has_ended("order-1")
    finally:
        await theirs.close()
        await ours.close()


@PGBOUNCER
async def test_behind_a_pooler_there_is_no_mark(databases: Databases) -> None:
    """A pooler's session outlives its clients, so no mark is held in it."""
    database = await Database.open(databases.url(), clock=SystemClock(), owner="test")
    try:
        assert not await database.mark_owner("order-1")
    finally:
        await database.close()
