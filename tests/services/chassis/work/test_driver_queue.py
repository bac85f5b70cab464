"""A claim that waits for earlier drives to end is not driven on an old lease."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

import pytest

from services.chassis.store.database import Database
from tests.support.chassis.driven_instance import (
    LEASE_S,
    Instance,
    advance_until,
    finish,
    nothing_pending,
    row_of,
    wait_then_finish,
)
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import Databases, opened_database


@pytest.fixture
def clock() -> ManualClock:
    """A clock that moves only when the test advances it."""
    return ManualClock()


@pytest.fixture
async def database(databases: Databases, clock: ManualClock) -> AsyncIterator[Database]:
    """A migrated database. No write may expire while a test advances the clock past leases."""
    async with opened_database(databases, clock=clock, lock_wait_s=3600) as opened:
        yield opened


async def test_a_claim_that_was_taken_while_it_waited_is_not_driven(
    database: Database, clock: ManualClock
) -> None:
    """Work that waits behind others for longer than its lease is driven by its new owner alone."""
    ours = Instance("ours", database, clock, wait_then_finish, max_running=1)
    theirs = Instance("theirs", database, clock, finish)
    async with ours.running():
        await ours.place("ord_1")
        assert (await ours.next_driven()).subject == "ord_1"
        await ours.place("ord_2")
        await clock.advance(LEASE_S)
        async with theirs.running():
            await advance_until(clock, partial(nothing_pending, database))
        ours.proceed.set()
        await ours.place("ord_3")
        assert (await ours.next_driven()).subject == "ord_3"


async def test_the_lease_of_a_claim_that_waited_is_renewed(
    database: Database, clock: ManualClock
) -> None:
    """A drive that had to wait begins with a whole lease."""
    ours = Instance("ours", database, clock, wait_then_finish, max_running=1)
    async with ours.running():
        await ours.place("ord_1")
        await ours.next_driven()
        await ours.place("ord_2")
        await clock.advance(LEASE_S / 2)
        ours.proceed.set()
        ours.proceed = asyncio.Event()
        assert (await ours.next_driven()).subject == "ord_2"
        row = await row_of(ours, "ord_2")
        assert row.lease_expire_time - clock.now() == timedelta(seconds=LEASE_S)
