"""A driver finishes pending work in the background, with one owner at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar
from functools import partial

import pytest
from sqlalchemy import Connection

from services.chassis.identity import caller
from services.chassis.identity.caller import Caller
from services.chassis.store.database import Database
from services.chassis.telemetry import correlation
from services.chassis.telemetry.correlation import Correlation
from services.chassis.work.lease import Claim
from tests.support.chassis.driven_instance import (
    KIND,
    LEASE_S,
    POLL_S,
    Instance,
    advance_until,
    finish,
    hang,
    nothing_pending,
    pending,
    row_of,
    wait_then_finish,
)
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import Databases, Gate, opened_database


@pytest.fixture
def clock() -> ManualClock:
    """A clock that moves only when the test advances it."""
    return ManualClock()


@pytest.fixture
async def database(databases: Databases, clock: ManualClock) -> AsyncIterator[Database]:
    """A migrated database. No write may expire while a test advances the clock past leases."""
    async with opened_database(databases, clock=clock, lock_wait_s=3600) as opened:
        yield opened


async def test_work_is_done_by_the_service_whoever_placed_it(
    database: Database, clock: ManualClock
) -> None:
    """A drive has the caller of the driver's task, not the person whose call wrote the work."""
    actors: list[str] = []

    async def note_caller(instance: Instance, claim: Claim) -> None:
        actors.append(caller.current().actor)
        await finish(instance, claim)

    caller.bind(Caller(service="order"))
    ours = Instance("ours", database, clock, note_caller)
    async with ours.running():
        caller.bind(Caller(subject="alice"))
        await ours.place("ord_1")
        await ours.next_driven()
    assert actors == ["service:order"]


async def test_placed_work_is_driven_at_once(database: Database, clock: ManualClock) -> None:
    """Work is driven right after its COMMIT, on the claim of the write, without a poll."""
    ours = Instance("ours", database, clock, finish)
    async with ours.running():
        placed = await ours.place("ord_1")
        assert await ours.next_driven() == placed
        await advance_until(clock, partial(nothing_pending, database), step_s=0)


async def test_a_drive_has_the_correlation_of_the_write(
    database: Database, clock: ManualClock
) -> None:
    """A drive has the correlation of the write; work that the loop finds has none."""
    seen: list[Correlation] = []

    async def note(instance: Instance, claim: Claim) -> None:
        seen.append(correlation.current())
        await finish(instance, claim)

    async def one_is_left() -> bool:
        return await database.read(pending) == 1

    ours = Instance("ours", database, clock, note)
    correlation.bind(Correlation("basket-7"))
    await ours.database.write(ours.leases.open, "ord_0", KIND)
    async with ours.running():
        await ours.place("ord_1")
        await advance_until(clock, one_is_left, step_s=0)
        await clock.advance(LEASE_S)
        await advance_until(clock, partial(nothing_pending, database))

    assert seen == [Correlation("basket-7"), correlation.EMPTY]


async def test_a_cancelled_handler_leaves_nothing_undriven(
    database: Database, clock: ManualClock
) -> None:
    """Work is driven even if its caller is cancelled while the write runs."""
    ours = Instance("ours", database, clock, finish)
    async with ours.running():
        gate = Gate()
        busy = asyncio.create_task(database.write(gate))
        await gate.entered()
        entered = Gate()

        def place(connection: Connection) -> Claim:
            entered(connection)
            return ours.leases.open(connection, "ord_1", KIND)

        placing = asyncio.create_task(database.write(place, then=ours.driver.start))
        await asyncio.sleep(0)
        gate.open()
        await entered.entered()
        placing.cancel()
        entered.open()
        await busy

        assert (await ours.next_driven()).subject == "ord_1"


async def test_work_of_a_crashed_process_is_finished_by_another(
    database: Database, clock: ManualClock
) -> None:
    """When the lease of a dead owner has expired, another instance finishes the work."""
    dead = Instance("dead", database, clock, hang)
    async with dead.running():
        former = await dead.place("ord_1")
        await dead.next_driven()

    heir = Instance("heir", database, clock, finish)
    async with heir.running():
        await advance_until(clock, partial(nothing_pending, database))
        claim = heir.driven.get_nowait()
    assert claim.subject == "ord_1"
    assert claim.token > former.token
    assert clock.monotonic() >= LEASE_S


async def test_two_drivers_never_drive_the_same_claim(
    database: Database, clock: ManualClock
) -> None:
    """If two instances find the same due work, one of them gets it."""
    dead = Instance("dead", database, clock, hang)
    for number in range(20):
        await database.write(dead.leases.open, f"ord_{number}", KIND)
    one = Instance("one", database, clock, finish)
    two = Instance("two", database, clock, finish)
    await clock.advance(LEASE_S)
    async with one.running(), two.running():
        await advance_until(clock, partial(nothing_pending, database), step_s=0.01)

    assert one.driven.qsize() + two.driven.qsize() == 20


async def test_a_failing_drive_is_postponed_and_tried_again(
    database: Database, clock: ManualClock
) -> None:
    """A drive that raises counts an attempt, and is repeated with a growing backoff."""
    attempts: list[float] = []

    async def fail_twice(instance: Instance, claim: Claim) -> None:
        attempts.append(clock.monotonic())
        if len(attempts) <= 2:
            raise LookupError("not yet")
        await finish(instance, claim)

    ours = Instance("ours", database, clock, fail_twice)
    async with ours.running():
        await ours.place("ord_1")
        await ours.next_driven()

        async def noted() -> bool:
            return (await row_of(ours, "ord_1")).attempts == 1

        await advance_until(clock, noted, step_s=0)
        assert (await row_of(ours, "ord_1")).last_error == "LookupError: not yet"
        await advance_until(clock, partial(nothing_pending, database), step_s=0.05)
    assert len(attempts) == 3
    assert attempts[1] - attempts[0] >= 0.2 * 0.8


async def test_a_superseded_drive_stops_quietly(database: Database, clock: ManualClock) -> None:
    """A drive that lost its lease stops, and neither postpones nor closes the work."""
    ours = Instance("ours", database, clock, wait_then_finish)
    theirs = Instance("theirs", database, clock, hang)
    async with ours.running():
        await ours.place("ord_1")
        await ours.next_driven()
        taken = await database.write(theirs.leases.open, "ord_1", KIND)
        ours.proceed.set()
        await ours.driver.drain()

        await database.write(theirs.leases.check, taken)


async def test_one_failing_drive_does_not_stop_the_others(
    database: Database, clock: ManualClock
) -> None:
    """The failure of one subject does not stop the drives of others."""

    async def fail_one(instance: Instance, claim: Claim) -> None:
        if claim.subject == "ord_bad":
            raise LookupError(claim.subject)
        await finish(instance, claim)

    ours = Instance("ours", database, clock, fail_one)
    async with ours.running():
        await ours.place("ord_bad")
        await ours.place("ord_good")

        async def good_is_done() -> bool:
            return await database.read(ours.leases.get, "ord_good") is None

        await advance_until(clock, good_is_done, step_s=0)


async def test_the_number_of_running_drives_is_limited(
    database: Database, clock: ManualClock
) -> None:
    """At most `max_running` drives run; further work waits in order."""
    ours = Instance("ours", database, clock, wait_then_finish, max_running=2)
    async with ours.running():
        for number in range(5):
            await ours.place(f"ord_{number}")
        await clock.settle()
        assert ours.driven.qsize() == 2
        ours.proceed.set()
        await advance_until(clock, partial(nothing_pending, database), step_s=0)

    subjects = [ours.driven.get_nowait().subject for _ in range(ours.driven.qsize())]
    assert subjects == [f"ord_{number}" for number in range(5)]


async def test_work_placed_before_the_driver_runs_is_driven(
    database: Database, clock: ManualClock
) -> None:
    """Work that is written before the driver runs is driven once it runs."""
    ours = Instance("ours", database, clock, finish)
    await ours.place("ord_1")
    async with ours.running():
        await advance_until(clock, partial(nothing_pending, database), step_s=0)


async def test_a_drive_inherits_nothing_from_its_caller(
    database: Database, clock: ManualClock
) -> None:
    """A drive does not inherit context variables, like the deadline, from its caller."""
    deadline: ContextVar[str] = ContextVar("deadline", default="none")
    seen: list[str] = []

    async def look(instance: Instance, claim: Claim) -> None:
        seen.append(deadline.get())
        await finish(instance, claim)

    ours = Instance("ours", database, clock, look)
    async with ours.running():
        deadline.set("soon")
        await ours.place("ord_1")
        await advance_until(clock, partial(nothing_pending, database), step_s=0)
    assert seen == ["none"]


async def test_the_driver_survives_a_store_that_does_not_answer(
    databases: Databases, clock: ManualClock
) -> None:
    """If claims fail for a while, a later poll claims the work."""
    async with opened_database(databases, clock=clock) as setup:
        dead = Instance("dead", setup, clock, hang)
        await setup.write(dead.leases.open, "ord_1", KIND)
    await clock.advance(LEASE_S)
    database = await Database.open(
        databases.url(), clock=clock, owner="busy", readers=1, queue_max=1
    )
    gate = Gate()
    blocking = asyncio.create_task(database.read(gate))
    await gate.entered()
    ours = Instance("ours", database, clock, finish)
    async with ours.running():
        await clock.advance(POLL_S * 3)
        assert ours.driven.empty()
        gate.open()
        await blocking

        async def driven() -> bool:
            return not ours.driven.empty()

        await advance_until(clock, driven)
    await database.close()
