"""Work that always fails alike is shown to an operator."""

from collections.abc import AsyncIterator

import pytest

from services.chassis.store.database import Database
from services.chassis.work.driver import REVIEW_AFTER_ATTEMPTS
from services.chassis.work.lease import Claim
from tests.support.chassis.driven_instance import Instance, advance_until, row_of
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


async def test_the_same_failure_again_and_again_needs_review(
    database: Database, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """A drive that always ends in the same error is marked for review once, with its text and no
    more than its first line. Other errors in between put the review off.
    """
    texts = ["this\nand a secret"] * REVIEW_AFTER_ATTEMPTS
    texts[-2] = "something else"

    async def fail(_: Instance, __: Claim) -> None:
        raise LookupError(texts.pop(0) if texts else "this\nand a secret")

    async def in_review() -> bool:
        return (await row_of(ours, "ord_1")).needs_review

    ours = Instance("ours", database, clock, fail)
    async with ours.running():
        await ours.place("ord_1")
        await advance_until(clock, in_review)
        row = await row_of(ours, "ord_1")
        began_s = clock.monotonic()

        async def tried_again() -> bool:
            return (await row_of(ours, "ord_1")).attempts > row.attempts

        await advance_until(clock, tried_again)
    assert (row.last_error, row.attempts) == ("LookupError: this", REVIEW_AFTER_ATTEMPTS + 1)
    assert began_s >= 20
    assert capsys.readouterr().out.count("drive_needs_review") == 1
