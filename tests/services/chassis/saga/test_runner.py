"""The saga runner on errands that know no business: call two shops in turn, or make up for it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import grpc
import pytest
import pytest_asyncio

from services.chassis.saga.model import (
    UNKNOWN_CODES,
    Contradiction,
    Pending,
    failure_reason,
    step_id,
)
from services.chassis.saga.runner import SagaRunner
from services.chassis.saga.timing import SagaTiming
from services.chassis.work.lease import StaleLeaseError
from tests.support.chassis.errand_saga import Answer, Town, bare, refused
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import Databases, open_database


@pytest_asyncio.fixture
async def town(databases: Databases) -> AsyncIterator[Town]:
    """A town without errands."""
    clock = ManualClock()
    database = await open_database(databases, clock=clock)
    yield Town(database, clock)
    await database.close()


async def test_a_saga_goes_step_by_step_and_closes_its_lease(town: Town) -> None:
    """Each step under its own id, in the story that began it."""
    claim = await town.begin()
    await town.runner.drive(claim)
    assert town.state() == "over"
    assert [(name, call.step_id) for name, call in town.errands.calls] == [
        ("first", step_id("one", "first", 1)),
        ("second", step_id("one", "second", 1)),
    ]
    assert {story.correlation_id for story in town.errands.stories} == {"story of one"}
    assert await town.row() is None


async def test_what_was_just_written_is_not_read_again(town: Town) -> None:
    """`begin` hands the state over; a claim that was found is loaded."""
    claim = await town.begin()
    town.runner.begin(claim, town.errands.stored["one"])
    await town.runner.drive(claim)
    assert town.errands.loads == 0
    await town.runner.drive(await town.begin("two"))
    assert town.errands.loads == 1


def test_step_ids_are_the_same_for_ever() -> None:
    """Golden: another id would make every repeat a new intention."""
    assert step_id("ord_1", "capture", 1) == step_id("ord_1", "capture", 1)
    assert step_id("ord_1", "capture", 1) == "60b26009-2b51-5747-bcc2-6377bb959596"
    others = {
        step_id("ord_1", "capture", 2),
        step_id("ord_1", "void", 1),
        step_id("ord_2", "capture", 1),
    }
    assert len(others | {step_id("ord_1", "capture", 1)}) == 4


@pytest.mark.parametrize("code", grpc.StatusCode, ids=lambda code: code.name)
def test_only_an_error_of_ours_is_definite(code: grpc.StatusCode) -> None:
    """And only with a code that can't come after the effect."""
    if code is grpc.StatusCode.OK:
        return
    assert failure_reason(bare(code)) is None
    assert failure_reason(refused(code, domain="googleapis.com")) is None
    assert failure_reason(refused(code)) == (None if code in UNKNOWN_CODES else "SOLD_OUT")


@pytest.mark.parametrize(
    "unknown",
    [bare(grpc.StatusCode.NOT_FOUND), refused(grpc.StatusCode.ABORTED), Pending("at it")],
    ids=["foreign", "unavailable", "pending"],
)
async def test_an_unknown_outcome_repeats_the_same_step_later(
    town: Town, unknown: Answer | Exception
) -> None:
    """The lease is given back with a backoff that doubles, and the error is there to be read."""
    town.errands.answers["first"] = [unknown] * 3
    claim = await town.begin()
    waits = []
    for _ in range(3):
        await town.runner.drive(claim)
        row = await town.row()
        assert row is not None
        assert (row.owner, row.last_error.partition(":")[0]) == ("", "first")
        waits.append((row.next_attempt_time - town.clock.now()).total_seconds())
        await town.clock.advance(waits[-1] + 0.001)
        claim = await town.claim()
    assert waits == [pytest.approx(0.1 * 2**n, rel=0.21) for n in range(3)]
    await town.runner.drive(claim)
    assert town.state() == "over"
    assert len({call.step_id for name, call in town.errands.calls if name == "first"}) == 1


async def test_a_step_is_left_to_others_for_a_while(town: Town) -> None:
    """Until then nobody is called, and the lease is due when it is our turn."""
    town.errands.not_before = town.clock.now() + timedelta(seconds=30)
    await town.runner.drive(await town.begin())
    assert (town.errands.calls, town.state()) == ([], "first")
    row = await town.row()
    assert row is not None
    assert row.owner == ""
    assert (row.next_attempt_time - town.clock.now()).total_seconds() == pytest.approx(30, rel=0.21)
    await town.clock.advance(37)
    await town.runner.drive(await town.claim())
    assert town.state() == "over"


async def test_the_deadline_ends_what_was_left_to_others(town: Town) -> None:
    """The runner has the time in view, whoever takes the steps."""
    town.errands.deadline = town.errands.not_before = town.clock.now() + timedelta(seconds=30)
    await town.runner.drive(await town.begin())
    await town.clock.advance(37)
    await town.runner.drive(await town.claim())
    assert town.errands.stored["one"].heard == ("too late", "undone")


async def test_progress_forgets_the_tries_of_the_step_before(town: Town) -> None:
    """unknown_count is of the current step."""
    town.errands.answers = {"first": [Pending("at it")], "second": [Pending("at it")]}
    await town.runner.drive(await town.begin())
    await town.clock.advance(1)
    await town.runner.drive(await town.claim())
    row = await town.row()
    assert row is not None
    assert (row.attempts, row.last_error) == (1, "second: at it")


async def test_the_deadline_ends_the_repeating(town: Town) -> None:
    """Nothing is called any more; what may have been asked for is made up for."""
    town.errands.deadline = town.clock.now() + timedelta(seconds=5)
    town.errands.answers["first"] = [Pending("at it")]
    await town.runner.drive(await town.begin())
    await town.clock.advance(5)
    await town.runner.drive(await town.claim())
    assert town.errands.stored["one"].heard == ("too late", "undone")
    assert [name for name, _ in town.errands.calls] == ["first", "undo", "check"]


async def test_no_call_waits_beyond_the_deadline(town: Town) -> None:
    """A step gets its timeout, or what is left."""
    town.errands.deadline = town.clock.now() + timedelta(seconds=2)
    await town.runner.drive(await town.begin())
    assert [call.timeout_s for _, call in town.errands.calls] == [2.0, 3.0]


async def test_a_definite_error_is_recorded_and_not_repeated(town: Town) -> None:
    """The saga says what it means; here, to undo."""
    town.errands.answers["first"] = [refused(grpc.StatusCode.FAILED_PRECONDITION)]
    await town.runner.drive(await town.begin())
    assert town.errands.stored["one"].heard == ("failed first SOLD_OUT", "undone")


async def test_what_needs_review_is_tried_on_slowly(town: Town) -> None:
    """An answer that can't be, past the pivot: every half minute, and marked in the lease."""
    town.errands.answers["second"] = [Contradiction("NONSENSE"), Contradiction("NONSENSE")]
    await town.runner.drive(await town.begin())
    row = await town.row()
    assert row is not None
    assert row.needs_review
    wait_s = (row.next_attempt_time - town.clock.now()).total_seconds()
    assert wait_s == pytest.approx(30, rel=0.21)
    await town.clock.advance(37)
    await town.runner.drive(await town.claim())
    await town.clock.advance(37)
    await town.runner.drive(await town.claim())
    assert town.state() == "over"


async def test_steps_of_one_stage_fail_together(town: Town) -> None:
    """One without an answer leaves the stage undone; both are called again."""
    town.errands.deadline = town.clock.now()
    town.errands.answers["check"] = [Pending("at it")]
    await town.runner.drive(await town.begin())
    assert town.state() == "undoing"
    await town.clock.advance(1)
    await town.runner.drive(await town.claim())
    assert [name for name, _ in town.errands.calls] == ["undo", "check", "undo", "check"]


async def test_a_bug_in_a_step_leaves_the_runner(town: Town) -> None:
    """It is the driver's to log and to postpone."""
    town.errands.answers["first"] = [ValueError("a bug")]
    with pytest.raises(ValueError, match="a bug"):
        await town.runner.drive(await town.begin())


async def test_a_stale_claim_records_nothing(town: Town) -> None:
    """Whoever was overtaken stops."""
    claim = await town.begin()
    await town.clock.advance(11)
    await town.claim()
    with pytest.raises(StaleLeaseError):
        await town.runner.drive(claim)
    assert town.state() == "first"


async def test_a_draining_runner_stops_between_two_steps(town: Town) -> None:
    """The answer that came is recorded first."""
    town.errands.answers["first"] = ["first done"]
    claim = await town.begin()
    town.stop = True
    await town.runner.drive(claim)
    assert town.errands.calls == []
    town.stop = False
    await town.runner.drive(claim)
    assert town.state() == "over"


async def test_a_lease_without_work_is_closed(town: Town) -> None:
    """Nothing is left to do: nothing stays behind."""
    claim = await town.begin()
    town.errands.stored["one"] = replace(town.errands.stored["one"], state="over")
    await town.runner.drive(claim)
    assert await town.row() is None


async def test_a_step_must_be_over_within_half_a_lease(town: Town) -> None:
    """Or it could run out while a call is on its way."""
    with pytest.raises(ValueError, match="half of a lease"):
        SagaRunner(
            saga=town.errands,
            database=town.database,
            leases=town.leases,
            clock=town.clock,
            timing=SagaTiming(step_timeout_s=5),
        )
