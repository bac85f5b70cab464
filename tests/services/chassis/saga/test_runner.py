"""The saga runner, on a saga that calls two participants in turn or compensates."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import grpc
import pytest
import pytest_asyncio

from services.chassis.saga.model import (
    UNKNOWN_CODES,
    Contradiction,
    Done,
    Pending,
    failure_reason,
    step_id,
)
from services.chassis.saga.runner import SagaRunner
from services.chassis.saga.timing import SagaTiming
from services.chassis.work.lease import StaleLeaseError
from tests.support.chassis.saga_in_memory import Answer, SagasOnDatabase, bare, refused
from tests.support.clock.manual_clock import ManualClock
from tests.support.store.databases import Databases, open_database


@pytest_asyncio.fixture
async def sagas(databases: Databases) -> AsyncIterator[SagasOnDatabase]:
    """A runner without sagas."""
    clock = ManualClock()
    database = await open_database(databases, clock=clock)
    yield SagasOnDatabase(database, clock)
    await database.close()


async def test_a_saga_goes_step_by_step_and_closes_its_lease(sagas: SagasOnDatabase) -> None:
    """Each step has its own id and the correlation of the request that began the saga."""
    claim = await sagas.begin()
    await sagas.runner.drive(claim)
    assert sagas.state() == "over"
    assert [(name, call.step_id) for name, call in sagas.saga.calls] == [
        ("first", step_id("one", "first", 1)),
        ("second", step_id("one", "second", 1)),
    ]
    assert {each.correlation_id for each in sagas.saga.call_correlations} == {"correlation of one"}
    assert await sagas.row() is None


async def test_steps_of_one_state_follow_each_other(sagas: SagasOnDatabase) -> None:
    """A step that answers Done leads to the next step of the same state."""
    sagas.saga.checks_first = True
    sagas.saga.answers = {"check": [Done.DONE]}
    await sagas.runner.drive(await sagas.begin())
    assert [name for name, _ in sagas.saga.calls] == ["check", "first", "second"]


async def test_an_answer_to_record_skips_the_later_steps_of_its_state(
    sagas: SagasOnDatabase,
) -> None:
    """A check that refuses is recorded, and the step that it guards is never called."""
    sagas.saga.checks_first = True
    sagas.saga.answers = {"check": ["too late"]}
    await sagas.runner.drive(await sagas.begin())
    assert sagas.saga.calls[0][0] == "check"
    assert "first" not in [name for name, _ in sagas.saga.calls]
    assert sagas.saga.stored["one"].answered == ("too late", "undone")


async def test_a_state_that_was_just_written_is_not_read_again(sagas: SagasOnDatabase) -> None:
    """`begin` hands the state over; the state of any other claim is loaded."""
    claim = await sagas.begin()
    sagas.runner.begin(claim, sagas.saga.stored["one"])
    await sagas.runner.drive(claim)
    assert sagas.saga.loads == 0
    await sagas.runner.drive(await sagas.begin("two"))
    assert sagas.saga.loads == 1


def test_step_ids_never_change() -> None:
    """With another id, a repeated step would be a new request."""
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
    """An error is definite if one of our services sent it, with a code that excludes an effect."""
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
    sagas: SagasOnDatabase, unknown: Answer | Exception
) -> None:
    """The runner gives the lease back with a doubling backoff, and stores the error in it."""
    sagas.saga.answers["first"] = [unknown] * 3
    claim = await sagas.begin()
    waits = []
    for _ in range(3):
        await sagas.runner.drive(claim)
        row = await sagas.row()
        assert row is not None
        assert (row.owner, row.last_error.partition(":")[0]) == ("", "first")
        waits.append((row.next_attempt_time - sagas.clock.now()).total_seconds())
        await sagas.clock.advance(waits[-1] + 0.001)
        claim = await sagas.claim()
    assert waits == [pytest.approx(0.1 * 2**n, rel=0.21) for n in range(3)]
    await sagas.runner.drive(claim)
    assert sagas.state() == "over"
    assert len({call.step_id for name, call in sagas.saga.calls if name == "first"}) == 1


async def test_a_step_is_left_to_others_for_a_while(sagas: SagasOnDatabase) -> None:
    """Until `not_before` no participant is called, and then the lease is due."""
    sagas.saga.not_before = sagas.clock.now() + timedelta(seconds=30)
    await sagas.runner.drive(await sagas.begin())
    assert (sagas.saga.calls, sagas.state()) == ([], "first")
    row = await sagas.row()
    assert row is not None
    assert row.owner == ""
    assert (row.next_attempt_time - sagas.clock.now()).total_seconds() == pytest.approx(
        30, rel=0.21
    )
    await sagas.clock.advance(37)
    await sagas.runner.drive(await sagas.claim())
    assert sagas.state() == "over"


async def test_the_deadline_also_ends_steps_that_are_left_to_others(sagas: SagasOnDatabase) -> None:
    """The runner records the deadline, although others execute the steps."""
    sagas.saga.deadline = sagas.saga.not_before = sagas.clock.now() + timedelta(seconds=30)
    await sagas.runner.drive(await sagas.begin())
    await sagas.clock.advance(37)
    await sagas.runner.drive(await sagas.claim())
    assert sagas.saga.stored["one"].answered == ("too late", "undone")


async def test_progress_resets_the_count_of_tries(sagas: SagasOnDatabase) -> None:
    """unknown_count counts the tries of the current step only."""
    sagas.saga.answers = {"first": [Pending("at it")], "second": [Pending("at it")]}
    await sagas.runner.drive(await sagas.begin())
    await sagas.clock.advance(1)
    await sagas.runner.drive(await sagas.claim())
    row = await sagas.row()
    assert row is not None
    assert (row.attempts, row.last_error) == (1, "second: at it")


async def test_a_compensation_that_answers_is_recorded_instead(sagas: SagasOnDatabase) -> None:
    """The conclusion of a plan is recorded only where every step is done without a result."""
    sagas.saga.deadline = sagas.clock.now()
    sagas.saga.answers["undo"] = ["cannot be undone"]
    await sagas.runner.drive(await sagas.begin())
    assert sagas.saga.stored["one"].answered == ("too late", "cannot be undone")
    await sagas.clock.advance(1)
    await sagas.runner.drive(await sagas.claim())
    assert sagas.saga.stored["one"].answered == ("too late", "cannot be undone", "undone")


async def test_the_deadline_ends_the_repeating(sagas: SagasOnDatabase) -> None:
    """After the deadline the step is not called again; it is compensated."""
    sagas.saga.deadline = sagas.clock.now() + timedelta(seconds=5)
    sagas.saga.answers["first"] = [Pending("at it")]
    await sagas.runner.drive(await sagas.begin())
    await sagas.clock.advance(5)
    await sagas.runner.drive(await sagas.claim())
    assert sagas.saga.stored["one"].answered == ("too late", "undone")
    assert [name for name, _ in sagas.saga.calls] == ["first", "undo", "check"]


async def test_no_call_waits_beyond_the_deadline(sagas: SagasOnDatabase) -> None:
    """A step's timeout is at most the time until the deadline."""
    sagas.saga.deadline = sagas.clock.now() + timedelta(seconds=2)
    await sagas.runner.drive(await sagas.begin())
    assert [call.timeout_s for _, call in sagas.saga.calls] == [2.0, 3.0]


async def test_a_definite_error_is_recorded_and_not_repeated(sagas: SagasOnDatabase) -> None:
    """The saga decides what follows from the error; this one compensates."""
    sagas.saga.answers["first"] = [refused(grpc.StatusCode.FAILED_PRECONDITION)]
    await sagas.runner.drive(await sagas.begin())
    assert sagas.saga.stored["one"].answered == ("failed first SOLD_OUT", "undone")


async def test_a_step_that_needs_review_is_repeated_slowly(sagas: SagasOnDatabase) -> None:
    """After a contradiction past the pivot it is repeated every 30 s, and the lease is marked."""
    sagas.saga.answers["second"] = [Contradiction("NONSENSE"), Contradiction("NONSENSE")]
    await sagas.runner.drive(await sagas.begin())
    row = await sagas.row()
    assert row is not None
    assert row.needs_review
    wait_s = (row.next_attempt_time - sagas.clock.now()).total_seconds()
    assert wait_s == pytest.approx(30, rel=0.21)
    await sagas.clock.advance(37)
    await sagas.runner.drive(await sagas.claim())
    await sagas.clock.advance(37)
    await sagas.runner.drive(await sagas.claim())
    assert sagas.state() == "over"


async def test_steps_of_one_stage_fail_together(sagas: SagasOnDatabase) -> None:
    """If one step of a stage has no answer, all its steps are called again."""
    sagas.saga.deadline = sagas.clock.now()
    sagas.saga.answers["check"] = [Pending("at it")]
    await sagas.runner.drive(await sagas.begin())
    assert sagas.state() == "undoing"
    await sagas.clock.advance(1)
    await sagas.runner.drive(await sagas.claim())
    assert [name for name, _ in sagas.saga.calls] == ["undo", "check", "undo", "check"]


async def test_a_bug_in_a_step_leaves_the_runner(sagas: SagasOnDatabase) -> None:
    """The driver logs the exception and postpones the work."""
    sagas.saga.answers["first"] = [ValueError("a bug")]
    with pytest.raises(ValueError, match="a bug"):
        await sagas.runner.drive(await sagas.begin())


async def test_a_stale_claim_records_nothing(sagas: SagasOnDatabase) -> None:
    """A runner whose saga was taken over stops without recording anything."""
    claim = await sagas.begin()
    await sagas.clock.advance(11)
    await sagas.claim()
    with pytest.raises(StaleLeaseError):
        await sagas.runner.drive(claim)
    assert sagas.state() == "first"


async def test_a_draining_runner_stops_between_two_steps(sagas: SagasOnDatabase) -> None:
    """A draining runner starts no step, and the next drive goes on."""
    sagas.saga.answers["first"] = ["first done"]
    claim = await sagas.begin()
    sagas.stop = True
    await sagas.runner.drive(claim)
    assert sagas.saga.calls == []
    sagas.stop = False
    await sagas.runner.drive(claim)
    assert sagas.state() == "over"


async def test_a_lease_without_work_is_closed(sagas: SagasOnDatabase) -> None:
    """If nothing is left to do, the lease's row is deleted."""
    claim = await sagas.begin()
    sagas.saga.stored["one"] = replace(sagas.saga.stored["one"], state="over")
    await sagas.runner.drive(claim)
    assert await sagas.row() is None


async def test_a_step_must_be_over_within_half_a_lease(sagas: SagasOnDatabase) -> None:
    """Otherwise the lease could expire during a call."""
    with pytest.raises(ValueError, match="half of a lease"):
        SagaRunner(
            saga=sagas.saga,
            database=sagas.database,
            leases=sagas.leases,
            clock=sagas.clock,
            timing=SagaTiming(step_timeout_s=5),
        )
