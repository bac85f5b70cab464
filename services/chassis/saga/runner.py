"""Carries out a saga's plans and records the outcomes, under the saga's lease.

    an answer       is recorded in one write, which applies it to the state as it is by then
    a failure       is recorded; before the pivot the saga compensates, afterwards it needs review
    unknown         the runner gives the lease back, and the step is due again after a backoff
    deadline over   is recorded instead of another try
    not yet         others execute the step: the runner gives the lease back until `not_before`

The ordinary path writes once per plan: a lease is only renewed after half of its time.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

import grpc
from sqlalchemy import Connection

from discovery.clock import Clock
from services.chassis.saga.model import (
    Contradiction,
    Done,
    Pending,
    Plan,
    Saga,
    Step,
    StepCall,
    failure_reason,
    step_id,
)
from services.chassis.saga.outcome import Answered, Failed, NotTried, StepOutcome, Unknown, describe
from services.chassis.saga.timing import SagaTiming
from services.chassis.store.database import Database
from services.chassis.telemetry import correlation
from services.chassis.work.driver import WAITING_MAX
from services.chassis.work.lease import Claim, Leases
from services.chassis.work.lease_table import need_of

if TYPE_CHECKING:
    from services.chassis.saga.step_spans import StepSpans

S = TypeVar("S")
A = TypeVar("A")

# A participant counts as working if it gave any saga a final answer within this time.
_WORKING_S = 60.0
_DOUBLINGS_MAX = 32


@dataclass(frozen=True, slots=True)
class _Executed(Generic[S, A]):
    """A plan for a state, and its outcome."""

    state: S
    plan: Plan[S, A]
    outcome: StepOutcome[A]


@dataclass(slots=True)
class _Hold:
    """A claim, and when its lease was last extended."""

    claim: Claim
    since_s: float


class SagaRunner(Generic[S, A]):
    """Drives sagas of one kind; a `Driver` runs `drive` in an empty context.

    When `draining` returns true, the runner stops after the current step. It calls `on_commit` with
    each committed state, on the event loop. `spans` opens a span for each step of a traced process.
    """

    def __init__(
        self,
        *,
        saga: Saga[S, A],
        database: Database,
        leases: Leases,
        clock: Clock,
        timing: SagaTiming,
        draining: Callable[[], bool] = lambda: False,
        on_commit: Callable[[S], None] = lambda _: None,
        spans: "StepSpans | None" = None,
    ) -> None:
        if timing.step_timeout_s >= leases.lease_s / 2:
            raise ValueError("the step timeout must be shorter than half of a lease")
        self._saga = saga
        self._database = database
        self._leases = leases
        self._clock = clock
        self._timing = timing
        self._draining = draining
        self._on_commit = on_commit
        self._spans = spans
        self._begun: dict[tuple[str, int], S] = {}
        self._answered_at_s: dict[str, float] = {}

    def begin(self, claim: Claim, state: S) -> None:
        """Keep the state of a claim that was just written, so that `drive` need not read it."""
        if len(self._begun) < WAITING_MAX:
            self._begun[claim.subject, claim.token] = state

    async def drive(self, claim: Claim) -> None:
        """Carry out one plan after the other, until nothing is left or the next try is later.

        Raises StaleLeaseError when another runner has taken the saga over.
        """
        hold = _Hold(claim, self._clock.monotonic())
        state = await self._state_of(claim)
        correlation.bind(self._saga.origin(state))
        plan = self._saga.plan(state)
        needs = (need_of(claim.subject), *self._saga.needs(claim.subject))
        if plan is None:
            await self._database.write(self._leases.close, claim, needs=(need_of(claim.subject),))
        while plan is not None and not self._draining():
            outcome = await self._carry_out(plan, state, hold)
            done = _Executed(state, plan, outcome)
            renew = self._is_old(hold)
            state, kept = await self._database.write(
                self._settle, hold.claim, done, renew, needs=needs, then=self._report
            )
            if kept is None:
                return
            hold = _Hold(kept, self._clock.monotonic() if renew else hold.since_s)
            plan = self._saga.plan(state)

    def _report(self, settled: tuple[S, Claim | None]) -> None:
        self._on_commit(settled[0])

    async def _state_of(self, claim: Claim) -> S:
        begun = self._begun.pop((claim.subject, claim.token), None)
        if begun is not None:
            return begun
        return await self._database.read(self._saga.load, claim.subject)

    async def _carry_out(self, plan: Plan[S, A], state: S, hold: _Hold) -> StepOutcome[A]:
        """Run the stages, up to the first step without an answer or with one to record."""
        if _is_left_to_others(plan, self._clock.now()):
            return NotTried.NOT_YET
        answer: A | Done = Done.DONE
        for number, stage in enumerate(plan.stages):
            timeout_s = self._timing.step_timeout_s
            if plan.deadline is not None:
                remaining_s = (plan.deadline - self._clock.now()).total_seconds()
                if remaining_s <= 0:
                    return NotTried.DEADLINE_PASSED
                timeout_s = min(timeout_s, remaining_s)
            if number > 0 and self._is_old(hold):
                needs = (need_of(hold.claim.subject),)
                await self._database.write(self._leases.renew, hold.claim, needs=needs)
                hold.since_s = self._clock.monotonic()
            for outcome in await self._run_stage(stage, state, hold.claim.subject, timeout_s):
                if not isinstance(outcome, Answered):
                    return outcome
                if isinstance(answer, Done):
                    answer = outcome.answer
            if not isinstance(answer, Done):
                return Answered(answer)
        return Answered(Done.DONE if plan.conclusion is None else plan.conclusion)

    async def _run_stage(
        self, stage: tuple[Step[S, A], ...], state: S, subject: str, timeout_s: float
    ) -> list[StepOutcome[A]]:
        """Run the steps of a stage in parallel, and return their outcomes, failures first."""
        if len(stage) == 1:
            return [await self._run_step(stage[0], state, subject, timeout_s)]
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(self._run_step(step, state, subject, timeout_s)) for step in stage
            ]
        return sorted(
            (task.result() for task in running), key=lambda each: not isinstance(each, Failed)
        )

    async def _run_step(
        self, step: Step[S, A], state: S, subject: str, timeout_s: float
    ) -> StepOutcome[A]:
        attempt = self._saga.attempt(state, step.name)
        call = StepCall(step_id(subject, step.name, attempt), timeout_s)
        if self._spans is None:
            return await self._ask(step, state, call)
        with self._spans.step(
            step.name, subject=subject, participant=step.participant, attempt=attempt
        ) as span:
            outcome = await self._ask(step, state, call)
            span.ended(outcome)
        return outcome

    async def _ask(self, step: Step[S, A], state: S, call: StepCall) -> StepOutcome[A]:
        try:
            answer = await step.action(state, call)
        except grpc.aio.AioRpcError as error:
            reason = failure_reason(error)
            if reason is None:
                return Unknown(step.name, step.participant, error.code().name)
            self._answered_at_s[step.participant] = self._clock.monotonic()
            return Failed(step.name, reason)
        if isinstance(answer, Pending):
            return Unknown(step.name, step.participant, answer.note)
        self._answered_at_s[step.participant] = self._clock.monotonic()
        if isinstance(answer, Contradiction):
            return Failed(step.name, answer.reason)
        return Answered(answer)

    def _settle(
        self,
        connection: Connection,
        claim: Claim,
        done: _Executed[S, A],
        renew: bool,  # noqa: FBT001 - writes take positional arguments
    ) -> tuple[S, Claim | None]:
        """Record the outcome. Returns the claim to go on with; None when this drive is over."""
        self._leases.check(connection, claim)
        moved = self._record(connection, done.state, done.outcome)
        next_plan = self._saga.plan(moved)
        if next_plan is None:
            self._leases.close(connection, claim)
            return moved, None
        if next_plan.step_names == done.plan.step_names:
            self._postpone(connection, claim, _Executed(moved, next_plan, done.outcome))
            return moved, None
        if claim.attempts > 0:
            self._leases.progress(connection, claim, step=next_plan.step_names[0])
            return moved, replace(claim, attempts=0)
        if renew:
            self._leases.renew(connection, claim)
        return moved, claim

    def _record(self, connection: Connection, state: S, outcome: StepOutcome[A]) -> S:
        match outcome:
            case Answered(answer):
                if isinstance(answer, Done):
                    return self._saga.refresh(connection, state)
                return self._saga.record(connection, state, answer)
            case NotTried.NOT_YET:
                return self._saga.refresh(connection, state)
            case NotTried.DEADLINE_PASSED:
                return self._saga.record(connection, state, self._saga.deadline_passed())
            case Failed(step, reason):
                return self._saga.record(connection, state, self._saga.step_failed(step, reason))
            case Unknown(step, participant):
                now = self._saga.refresh(connection, state)
                if not self._is_overdue(now, participant):
                    return now
                return self._saga.record(connection, now, self._saga.step_overdue(step))

    def _postpone(self, connection: Connection, claim: Claim, again: _Executed[S, A]) -> None:
        """Repeat the plan later: after a backoff, or slowly if only an operator can help."""
        needs_review = self._saga.needs_review(again.state)
        delay_s = self._timing.review_retry_s
        if not needs_review:
            doubled_s = self._timing.backoff_first_s * 2.0 ** min(claim.attempts, _DOUBLINGS_MAX)
            delay_s = min(doubled_s, self._timing.backoff_max_s)
        if again.outcome is NotTried.NOT_YET and again.plan.not_before is not None:
            delay_s = max(0.0, (again.plan.not_before - self._clock.now()).total_seconds())
        elif again.plan.deadline is not None:
            remaining_s = (again.plan.deadline - self._clock.now()).total_seconds()
            delay_s = max(0.0, min(delay_s, remaining_s))
        self._leases.postpone(
            connection,
            claim,
            delay_s=delay_s,
            error=describe(again.outcome),
            needs_review=needs_review,
        )

    def _is_old(self, hold: _Hold) -> bool:
        return self._clock.monotonic() - hold.since_s > self._leases.lease_s / 2

    def _is_overdue(self, state: S, participant: str) -> bool:
        """Whether a step is too old although its participant answers other sagas.

        While a participant is down, its steps are not marked for review: there would be too many.
        """
        age_s = (self._clock.now() - self._saga.since(state)).total_seconds()
        answered_at_s = self._answered_at_s.get(participant)
        if age_s <= self._timing.review_after_s or answered_at_s is None:
            return False
        return self._clock.monotonic() - answered_at_s <= _WORKING_S


def _is_left_to_others(plan: Plan[S, A], now: datetime) -> bool:
    return plan.not_before is not None and now < plan.not_before
