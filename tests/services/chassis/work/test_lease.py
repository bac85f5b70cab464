"""A lease has one owner at a time, and a holder whose lease was taken can no longer write."""

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Connection

from services.chassis.store.database import Database
from services.chassis.work.lease import Claim, LeaseRow, Leases, StaleLeaseError
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import Databases, opened_database

KIND = "checkout"
LEASE_S = 10.0


@pytest.fixture
def clock() -> ManualClock:
    """A clock that moves only when the test advances it."""
    return ManualClock()


@pytest.fixture
def ours(clock: ManualClock) -> Leases:
    """The leases of this process."""
    return Leases(owner="ours", clock=clock, rng=random.Random(1), lease_s=LEASE_S)


@pytest.fixture
def theirs(clock: ManualClock) -> Leases:
    """The leases of another process."""
    return Leases(owner="theirs", clock=clock, rng=random.Random(2), lease_s=LEASE_S)


@pytest.fixture
async def database(databases: Databases, clock: ManualClock) -> AsyncIterator[Database]:
    """A migrated database."""
    async with opened_database(databases, clock=clock) as opened:
        yield opened


async def opened(database: Database, leases: Leases, subject: str = "ord_1") -> Claim:
    """Open work with a lease, like a handler does."""
    return await database.write(leases.open, subject, KIND)


async def row_of(database: Database, leases: Leases, subject: str = "ord_1") -> LeaseRow:
    """The row of a subject, which must exist."""
    row = await database.read(leases.get, subject)
    assert row is not None
    return row


async def test_opened_work_is_leased_to_its_owner(
    database: Database, ours: Leases, theirs: Leases
) -> None:
    """Opened work is leased to its owner; no other owner can claim it before it expires."""
    claim = await opened(database, ours)

    await database.write(ours.check, claim)
    assert await database.write(theirs.claim, "ord_1") is None
    assert await database.write(theirs.claim_due, KIND, 10) == ()
    assert not await database.read(theirs.has_due, KIND)


async def test_an_expired_lease_is_claimed_and_its_holder_is_fenced(
    database: Database, ours: Leases, theirs: Leases, clock: ManualClock
) -> None:
    """An expired lease can be claimed by another owner; then its former holder cannot write."""
    asleep = await opened(database, ours)
    await clock.advance(LEASE_S)

    assert await database.read(theirs.has_due, KIND)
    (claim,) = await database.write(theirs.claim_due, KIND, 10)

    assert claim.subject == "ord_1"
    assert claim.token > asleep.token
    await database.write(theirs.check, claim)
    for forbidden in (
        partial(ours.check, claim=asleep),
        partial(ours.renew, claim=asleep),
        partial(ours.progress, claim=asleep, step="reserve"),
        partial(ours.postpone, claim=asleep, delay_s=1.0),
        partial(ours.close, claim=asleep),
    ):
        with pytest.raises(StaleLeaseError):
            await database.write(forbidden)
    await database.write(ours.release, asleep)
    await database.write(theirs.check, claim)


async def test_an_expired_lease_that_nobody_claimed_still_holds(
    database: Database, ours: Leases, clock: ManualClock
) -> None:
    """Until another owner claims it, the holder of an expired lease can write and renew."""
    claim = await opened(database, ours)
    await clock.advance(LEASE_S * 3)

    await database.write(ours.check, claim)
    await database.write(ours.renew, claim)
    assert not await database.read(ours.has_due, KIND)


async def test_a_renewed_lease_lasts_longer(
    database: Database, ours: Leases, theirs: Leases, clock: ManualClock
) -> None:
    """A renewed lease lasts for the full lease time from then on."""
    claim = await opened(database, ours)
    await clock.advance(LEASE_S * 0.6)
    await database.write(ours.renew, claim)
    await clock.advance(LEASE_S * 0.6)

    assert await database.write(theirs.claim_due, KIND, 10) == ()
    await database.write(ours.check, claim)


async def test_postponed_work_waits_for_its_time(
    database: Database, ours: Leases, theirs: Leases, clock: ManualClock
) -> None:
    """Postponed work is released, and due after the delay +- 20 %."""
    claim = await opened(database, ours)
    await database.write(partial(ours.postpone, claim=claim, delay_s=10.0, error="UNAVAILABLE"))

    with pytest.raises(StaleLeaseError):
        await database.write(ours.check, claim)
    await clock.advance(7.9)
    assert await database.write(theirs.claim_due, KIND, 10) == ()
    await clock.advance(4.2)
    (again,) = await database.write(theirs.claim_due, KIND, 10)
    assert again.attempts == 1
    assert (await row_of(database, ours)).last_error == "UNAVAILABLE"


async def test_postponed_work_can_be_claimed_at_once_by_name(
    database: Database, ours: Leases, theirs: Leases
) -> None:
    """A claim by subject ignores the backoff; a subject that is not open cannot be claimed."""
    claim = await opened(database, ours)
    await database.write(partial(ours.postpone, claim=claim, delay_s=10.0))

    again = await database.write(theirs.claim, "ord_1")
    assert again is not None
    await database.write(theirs.check, again)
    assert await database.write(theirs.claim, "ord_2") is None


async def test_released_work_is_due_at_once(
    database: Database, ours: Leases, theirs: Leases
) -> None:
    """Released work is due at once for any owner."""
    claim = await opened(database, ours)
    await database.write(ours.release, claim)

    with pytest.raises(StaleLeaseError):
        await database.write(ours.check, claim)
    (again,) = await database.write(theirs.claim_due, KIND, 10)
    assert again.attempts == 0


async def test_work_opened_while_draining_has_no_owner(
    database: Database, ours: Leases, theirs: Leases
) -> None:
    """Work that is opened without a lease is due at once for any owner."""
    unleased = await database.write(partial(ours.open, subject="ord_1", kind=KIND, leased=False))

    with pytest.raises(StaleLeaseError):
        await database.write(ours.check, unleased)
    assert len(await database.write(theirs.claim_due, KIND, 10)) == 1


async def test_work_that_was_claimed_early_is_due_when_its_owner_dies(
    database: Database, ours: Leases, theirs: Leases, clock: ManualClock
) -> None:
    """Work that is due later and claimed now is due once the lease expires, not only later."""
    later = clock.now() + timedelta(seconds=100 * LEASE_S)
    await database.write(partial(ours.open, subject="ord_1", kind=KIND, leased=False, due=later))
    assert await database.write(ours.claim, "ord_1") is not None
    await clock.advance(LEASE_S)
    assert len(await database.write(theirs.claim_due, KIND, 10)) == 1


async def test_closed_work_is_gone(database: Database, ours: Leases, clock: ManualClock) -> None:
    """Closed work cannot be claimed."""
    claim = await opened(database, ours)
    await database.write(ours.close, claim)
    await clock.advance(LEASE_S)

    assert await database.read(ours.get, "ord_1") is None
    assert await database.write(ours.claim_due, KIND, 10) == ()
    with pytest.raises(StaleLeaseError):
        await database.write(ours.close, claim)


async def test_opening_open_work_takes_it_over(
    database: Database, ours: Leases, theirs: Leases
) -> None:
    """Opening existing work takes it over, and its former holder cannot write."""
    former = await opened(database, ours)
    taken = await opened(database, theirs)

    assert taken.token > former.token
    with pytest.raises(StaleLeaseError):
        await database.write(ours.check, former)
    await database.write(theirs.check, taken)


async def test_a_token_is_never_reused_for_a_subject(database: Database, ours: Leases) -> None:
    """A claim on closed work is stale after the work is opened again.

    The clock does not move in between, so the time alone cannot distinguish the two claims.
    """
    former = await opened(database, ours)
    await database.write(ours.close, former)
    current = await opened(database, ours)

    with pytest.raises(StaleLeaseError):
        await database.write(ours.check, former)
    await database.write(ours.check, current)


async def test_claims_are_limited_and_the_longest_due_come_first(
    database: Database, ours: Leases, theirs: Leases, clock: ManualClock
) -> None:
    """At most `limit` rows of a kind are claimed, those due longest first."""
    for number in range(3):
        await opened(database, ours, f"ord_{number}")
        await clock.advance(1)
    await database.write(ours.open, "pay_1", "payment")
    await clock.advance(LEASE_S)

    first = await database.write(theirs.claim_due, KIND, 2)
    rest = await database.write(theirs.claim_due, KIND, 2)

    assert [claim.subject for claim in first] == ["ord_0", "ord_1"]
    assert [claim.subject for claim in rest] == ["ord_2"]


async def test_the_deadline_of_the_work_comes_with_every_claim(
    database: Database, ours: Leases, clock: ManualClock
) -> None:
    """Every claim of the work has the work's deadline."""
    deadline = clock.now() + timedelta(seconds=30)
    claim = await database.write(partial(ours.open, subject="ord_1", kind=KIND, deadline=deadline))
    await clock.advance(LEASE_S)
    (again,) = await database.write(ours.claim_due, KIND, 1)

    assert claim.deadline == again.deadline == deadline


async def test_progress_clears_attempts_and_review(
    database: Database, ours: Leases, clock: ManualClock
) -> None:
    """A new step clears attempts, error and review mark."""
    claim = await opened(database, ours)
    stuck = partial(ours.postpone, claim=claim, delay_s=1.0, error="DECLINED", needs_review=True)
    await database.write(stuck)
    marked = await row_of(database, ours)
    await clock.advance(2)
    (again,) = await database.write(ours.claim_due, KIND, 1)

    await database.write(partial(ours.progress, claim=again, step="capture"))

    moved = await row_of(database, ours)
    assert (marked.needs_review, marked.attempts, marked.last_error) == (True, 1, "DECLINED")
    assert (moved.needs_review, moved.attempts, moved.last_error) == (False, 0, "")
    assert (moved.step, moved.step_since_time) == ("capture", clock.now())
    assert moved.open_time == marked.open_time


async def test_pending_work_can_be_listed(
    database: Database, ours: Leases, clock: ManualClock
) -> None:
    """Pending work can be listed by age and review mark, page by page."""
    old = await opened(database, ours, "ord_1")
    await opened(database, ours, "ord_2")
    await database.write(partial(ours.postpone, claim=old, delay_s=1.0, needs_review=True))
    await clock.advance(60)
    await opened(database, ours, "ord_3")

    async def listed(**filters: object) -> list[str]:
        def read(connection: Connection) -> list[str]:
            rows = ours.list(connection, kind=KIND, **{"limit": 10, **filters})  # type: ignore[arg-type]
            return [row.subject for row in rows]

        return await database.read(read)

    assert await listed() == ["ord_1", "ord_2", "ord_3"]
    assert await listed(limit=1, after_subject="ord_1") == ["ord_2"]
    assert await listed(opened_before=clock.now()) == ["ord_1", "ord_2"]
    assert await listed(needs_review=True) == ["ord_1"]
    assert await listed(needs_review=False) == ["ord_2", "ord_3"]


def test_an_owner_has_a_name(clock: ManualClock) -> None:
    """An empty owner name is refused, because it marks rows without an owner."""
    with pytest.raises(ValueError, match="name"):
        Leases(owner="", clock=clock, rng=random.Random(1))
