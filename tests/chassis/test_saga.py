"""The saga runner on errands that know no business: call two shops in turn, or make up for it."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from sqlalchemy import Connection

from services.chassis import correlation
from services.chassis.correlation import Correlation
from services.chassis.database import Database
from services.chassis.errors import ErrorRule, to_status, to_trailers
from services.chassis.lease import Claim, LeaseRow, Leases, StaleLeaseError
from services.chassis.saga import (
    UNKNOWN_CODES,
    Contradiction,
    Done,
    Pending,
    Plan,
    Step,
    StepCall,
    failure_reason,
    step_id,
)
from services.chassis.saga_runner import Pace, SagaRunner
from tests.databases import open_database
from tests.manual_clock import ManualClock

KIND = "errand"
Answer = str | Done | Pending | Contradiction


@dataclass(frozen=True)
class Errand:
    """Where an errand stands, and what was answered so far."""

    subject: str
    since: datetime
    state: str = "first"
    heard: tuple[str, ...] = ()
    reviewed: bool = False
    attempts: int = 1


@dataclass
class Errands:
    """A saga in memory: what is stored is `stored`; shops answer what the test lined up."""

    clock: ManualClock
    stored: dict[str, Errand] = field(default_factory=dict)
    answers: dict[str, list[Answer | Exception]] = field(default_factory=dict)
    calls: list[tuple[str, StepCall]] = field(default_factory=list)
    stories: list[Correlation] = field(default_factory=list)
    deadline: datetime | None = None
    loads: int = 0

    def __post_init__(self) -> None:
        undo = self._step("undo")
        self.steps = {
            "first": self._step("first", compensation=undo),
            "second": self._step("second", is_pivot=True),
            "undo": undo,
            "check": self._step("check"),
        }

    def _step(
        self,
        name: str,
        *,
        compensation: Step[Errand, str] | None = None,
        is_pivot: bool = False,
    ) -> Step[Errand, str]:
        async def action(errand: Errand, call: StepCall) -> Answer:
            self.calls.append((name, call))
            self.stories.append(correlation.current())
            answer = self.answers[name].pop(0) if self.answers.get(name) else f"{name} done"
            if isinstance(answer, Exception):
                raise answer
            return answer

        return Step(name, f"{name} shop", action, compensation=compensation, is_pivot=is_pivot)

    def load(self, connection: Connection, subject: str) -> Errand:
        self.loads += 1
        return self.stored[subject]

    def refresh(self, connection: Connection, state: Errand) -> Errand:
        return self.stored[state.subject]

    def record(self, connection: Connection, state: Errand, answer: str) -> Errand:
        now = self.stored[state.subject]
        moves = {
            ("first", "first done"): "second",
            ("second", "second done"): "over",
            ("first", "too late"): "undoing",
            ("undoing", "undone"): "over",
        }
        if answer.startswith("failed"):
            moved = replace(now, state="undoing") if now.state == "first" else now
            moved = replace(moved, reviewed=True)
        elif answer.startswith("overdue"):
            moved = replace(now, reviewed=True)
        else:
            state_after = moves.get((now.state, answer), now.state)
            moved = replace(now, state=state_after, since=self.clock.now())
        self.stored[state.subject] = replace(moved, heard=(*moved.heard, answer))
        return self.stored[state.subject]

    def plan(self, state: Errand) -> Plan[Errand, str] | None:
        match state.state:
            case "over":
                return None
            case "undoing":
                together = (self.steps["undo"], self.steps["check"])
                return Plan((together,), conclusion="undone")
            case name:
                step = self.steps[name]
                return Plan(((step,),), deadline=None if step.is_pivot else self.deadline)

    def origin(self, state: Errand) -> Correlation:
        return Correlation("story of " + state.subject)

    def since(self, state: Errand) -> datetime:
        return state.since

    def attempt(self, state: Errand, step: str) -> int:
        return state.attempts

    def needs_review(self, state: Errand) -> bool:
        return state.reviewed

    def deadline_passed(self) -> str:
        return "too late"

    def step_failed(self, step: str, reason: str) -> str:
        return f"failed {step} {reason}"

    def step_overdue(self, step: str) -> str:
        return f"overdue {step}"


class Town:
    """One runner on one database."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database = database
        self.clock = clock
        self.errands = Errands(clock)
        self.leases = Leases(owner="runner", clock=clock, rng=random.Random(1))
        self.stop = False
        self.runner = SagaRunner(
            saga=self.errands,
            database=database,
            leases=self.leases,
            clock=clock,
            pace=Pace(),
            draining=lambda: self.stop,
        )

    async def begin(self, subject: str = "one") -> Claim:
        """Open an errand, leased to this runner."""
        self.errands.stored[subject] = Errand(subject, self.clock.now())
        return await self.database.write(self.leases.open, subject, KIND)

    async def claim(self) -> Claim:
        """Claim the one errand that is due."""
        (claim,) = await self.database.write(self.leases.claim_due, KIND, 10)
        return claim

    async def row(self, subject: str = "one") -> LeaseRow | None:
        """Its lease."""
        return await self.database.read(self.leases.get, subject)

    def state(self, subject: str = "one") -> str:
        """Where the errand stands."""
        return self.errands.stored[subject].state


@pytest_asyncio.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """A town without errands."""
    clock = ManualClock()
    database = await open_database(tmp_path, clock=clock)
    yield Town(database, clock)
    await database.close()


class _RefusedError(Exception):
    """Whatever a server of ours raised."""


def refused(code: grpc.StatusCode, domain: str = "shop.tradepost") -> grpc.aio.AioRpcError:
    """An error with an ErrorInfo."""
    rule = ErrorRule(code, "SOLD_OUT")
    status = to_status(_RefusedError("no"), {_RefusedError: rule}, domain)
    trailers = grpc.aio.Metadata(*to_trailers(status, rule))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers)


def bare(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    """An error without one."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata())


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
            pace=Pace(step_timeout_s=5),
        )
