"""A saga of two steps with scripted participants, and its runner on a real database."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

import grpc
from sqlalchemy import Connection

from services.chassis.saga.model import Contradiction, Done, Pending, Plan, Step, StepCall
from services.chassis.saga.runner import SagaRunner
from services.chassis.saga.step_spans import StepSpans
from services.chassis.saga.timing import SagaTiming
from services.chassis.server.error_rules import ErrorRule
from services.chassis.server.rich_status import to_status, to_trailers
from services.chassis.store.database import Database
from services.chassis.store.unit.needs import Needs
from services.chassis.telemetry import correlation
from services.chassis.telemetry.correlation import Correlation
from services.chassis.work.lease import Claim, LeaseRow, Leases
from tests.support.clock.manual_clock import ManualClock

KIND = "test_saga"
Answer = str | Done | Pending | Contradiction


@dataclass(frozen=True)
class SagaState:
    """The stored state of a saga, and the answers recorded so far."""

    subject: str
    since: datetime
    state: str = "first"
    answered: tuple[str, ...] = ()
    reviewed: bool = False
    attempts: int = 1


@dataclass
class SagaInMemory:
    """A saga whose states are in `stored` and whose participants give the answers in `answers`."""

    clock: ManualClock
    stored: dict[str, SagaState] = field(default_factory=dict)
    answers: dict[str, list[Answer | Exception]] = field(default_factory=dict)
    calls: list[tuple[str, StepCall]] = field(default_factory=list)
    call_correlations: list[Correlation] = field(default_factory=list)
    record_correlations: list[Correlation] = field(default_factory=list)
    traceparent: str = ""
    on_call: Callable[[], None] = lambda: None
    deadline: datetime | None = None
    not_before: datetime | None = None
    checks_first: bool = False
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
        compensation: Step[SagaState, str] | None = None,
        is_pivot: bool = False,
    ) -> Step[SagaState, str]:
        async def action(state: SagaState, call: StepCall) -> Answer:
            self.calls.append((name, call))
            self.call_correlations.append(correlation.current())
            self.on_call()
            # A compensation is done without a result of its own.
            otherwise = Done.DONE if state.state == "undoing" else f"{name} done"
            answer = self.answers[name].pop(0) if self.answers.get(name) else otherwise
            if isinstance(answer, Exception):
                raise answer
            return answer

        return Step(
            name, f"{name} participant", action, compensation=compensation, is_pivot=is_pivot
        )

    def load(self, connection: Connection, subject: str) -> SagaState:
        self.loads += 1
        return self.stored[subject]

    def needs(self, subject: str) -> Needs:
        return ()

    def refresh(self, connection: Connection, state: SagaState) -> SagaState:
        return self.stored[state.subject]

    def record(self, connection: Connection, state: SagaState, answer: str) -> SagaState:
        self.record_correlations.append(correlation.current())
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
        self.stored[state.subject] = replace(moved, answered=(*moved.answered, answer))
        return self.stored[state.subject]

    def plan(self, state: SagaState) -> Plan[SagaState, str] | None:
        match state.state:
            case "over":
                return None
            case "undoing":
                together = (self.steps["undo"], self.steps["check"])
                return Plan((together,), conclusion="undone")
            case name:
                step = self.steps[name]
                deadline = None if step.is_pivot else self.deadline
                checks = ((self.steps["check"],),) if self.checks_first and name == "first" else ()
                return Plan((*checks, (step,)), deadline=deadline, not_before=self.not_before)

    def origin(self, state: SagaState) -> Correlation:
        return Correlation("correlation of " + state.subject, traceparent=self.traceparent)

    def since(self, state: SagaState) -> datetime:
        return state.since

    def attempt(self, state: SagaState, step: str) -> int:
        return state.attempts

    def needs_review(self, state: SagaState) -> bool:
        return state.reviewed

    def deadline_passed(self) -> str:
        return "too late"

    def step_failed(self, step: str, reason: str) -> str:
        return f"failed {step} {reason}"

    def step_overdue(self, step: str) -> str:
        return f"overdue {step}"


class SagasOnDatabase:
    """One saga runner on one database."""

    def __init__(
        self,
        database: Database,
        clock: ManualClock,
        *,
        spans: StepSpans | None = None,
        traceparent: str = "",
    ) -> None:
        self.database = database
        self.clock = clock
        self.saga = SagaInMemory(clock, traceparent=traceparent)
        self.leases = Leases(owner="runner", clock=clock, rng=random.Random(1))
        self.stop = False
        self.runner = SagaRunner(
            saga=self.saga,
            database=database,
            leases=self.leases,
            clock=clock,
            timing=SagaTiming(),
            draining=lambda: self.stop,
            spans=spans,
        )

    async def begin(self, subject: str = "one") -> Claim:
        """Open a saga, leased to this runner."""
        self.saga.stored[subject] = SagaState(subject, self.clock.now())
        return await self.database.write(self.leases.open, subject, KIND)

    async def claim(self) -> Claim:
        """Claim the one saga that is due."""
        (claim,) = await self.database.write(self.leases.claim_due, KIND, 10)
        return claim

    async def row(self, subject: str = "one") -> LeaseRow | None:
        """Return the lease of a saga; None if it is closed."""
        return await self.database.read(self.leases.get, subject)

    def state(self, subject: str = "one") -> str:
        """Return the state of a saga."""
        return self.saga.stored[subject].state


class _RefusedError(Exception):
    """An exception of one of our servers."""


def refused(code: grpc.StatusCode, domain: str = "participant.tradepost") -> grpc.aio.AioRpcError:
    """Make an error with an ErrorInfo, as our servers send it."""
    rule = ErrorRule(code, "SOLD_OUT")
    status = to_status(_RefusedError("no"), {_RefusedError: rule}, domain)
    trailers = grpc.aio.Metadata(*to_trailers(status, rule))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers)


def bare(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    """Make an error without an ErrorInfo, as gRPC and proxies send it."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata())
