"""Carries out a saga's plans and writes what came of them, under the saga's lease.

    an answer       recorded in one write, which also decides again where the state has moved
    a failure       recorded; before the pivot the saga lets go, later an operator should look
    unknown         the lease is given back, and the same step is due again after a backoff
    deadline over   recorded instead of trying again
    not yet         others take the step until then: the lease is given back for so long

The ordinary path writes once per move: leases are renewed only when a step outlasts half of one.
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
from services.chassis.saga.outcome import Answered, Failed, Finding, Time, Unknown, describe
from services.chassis.saga.pace import Pace
from services.chassis.store.database import Database
from services.chassis.telemetry import correlation
from services.chassis.work.driver import WAITING_MAX
from services.chassis.work.lease import Claim, Leases

if TYPE_CHECKING:
    from services.chassis.saga.step_spans import StepSpans

S = TypeVar("S")
A = TypeVar("A")

# A participant "answers others" when it gave anybody a final answer within this time.
_PULSE_S = 60.0
_DOUBLINGS_MAX = 32


@dataclass(frozen=True, slots=True)
class _Round(Generic[S, A]):
    """What was planned for a state, and what came of it."""

    state: S
    plan: Plan[S, A]
    finding: Finding[A]


@dataclass(slots=True)
class _Hold:
    """A claim, and since when its lease has been running."""

    claim: Claim
    since_s: float


class SagaRunner(Generic[S, A]):
    """Drives sagas of one kind; `drive` is what a `Driver` runs, in an empty context.

    `draining` tells when to stop after the current step; `told` gets each state that was
    committed, on the event loop; `spans` is told of every step, where the process is traced.
    """

    def __init__(
        self,
        *,
        saga: Saga[S, A],
        database: Database,
        leases: Leases,
        clock: Clock,
        pace: Pace,
        draining: Callable[[], bool] = lambda: False,
        told: Callable[[S], None] = lambda _: None,
        spans: "StepSpans | None" = None,
    ) -> None:
        if pace.step_timeout_s >= leases.lease_s / 2:
            raise ValueError("a step must be over within half of a lease")
        self._saga = saga
        self._database = database
        self._leases = leases
        self._clock = clock
        self._pace = pace
        self._draining = draining
        self._told = told
        self._spans = spans
        self._begun: dict[tuple[str, int], S] = {}
        self._answered_at_s: dict[str, float] = {}

    def begin(self, claim: Claim, state: S) -> None:
        """Spare the drive of a claim that was just written the reading of its state."""
        if len(self._begun) < WAITING_MAX:
            self._begun[claim.subject, claim.token] = state

    async def drive(self, claim: Claim) -> None:
        """Carry out one plan after the other, until nothing is left or the next try is later.

        Raises StaleLeaseError when somebody else drives the saga by now.
        """
        hold = _Hold(claim, self._clock.monotonic())
        state = await self._state_of(claim)
        correlation.bind(self._saga.origin(state))
        plan = self._saga.plan(state)
        if plan is None:
            await self._database.write(self._leases.close, claim)
        while plan is not None and not self._draining():
            finding = await self._carry_out(plan, state, hold)
            done = _Round(state, plan, finding)
            renew = self._is_old(hold)
            state, kept = await self._database.write(
                self._settle, hold.claim, done, renew, then=self._tell
            )
            if kept is None:
                return
            hold = _Hold(kept, self._clock.monotonic() if renew else hold.since_s)
            plan = self._saga.plan(state)

    def _tell(self, settled: tuple[S, Claim | None]) -> None:
        self._told(settled[0])

    async def _state_of(self, claim: Claim) -> S:
        begun = self._begun.pop((claim.subject, claim.token), None)
        if begun is not None:
            return begun
        return await self._database.read(self._saga.load, claim.subject)

    async def _carry_out(self, plan: Plan[S, A], state: S, hold: _Hold) -> Finding[A]:
        """Run the stages; the first step without an answer ends it."""
        if _is_left_to_others(plan, self._clock.now()):
            return Time.HAS_NOT_COME
        answer: A | Done = Done.DONE
        for number, stage in enumerate(plan.stages):
            timeout_s = self._pace.step_timeout_s
            if plan.deadline is not None:
                remaining_s = (plan.deadline - self._clock.now()).total_seconds()
                if remaining_s <= 0:
                    return Time.IS_UP
                timeout_s = min(timeout_s, remaining_s)
            if number > 0 and self._is_old(hold):
                await self._database.write(self._leases.renew, hold.claim)
                hold.since_s = self._clock.monotonic()
            for finding in await self._run_stage(stage, state, hold.claim.subject, timeout_s):
                if not isinstance(finding, Answered):
                    return finding
                answer = finding.answer
        return Answered(answer if plan.conclusion is None else plan.conclusion)

    async def _run_stage(
        self, stage: tuple[Step[S, A], ...], state: S, subject: str, timeout_s: float
    ) -> list[Finding[A]]:
        """Run the steps of a stage together; failures come first in what is found."""
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
    ) -> Finding[A]:
        attempt = self._saga.attempt(state, step.name)
        call = StepCall(step_id(subject, step.name, attempt), timeout_s)
        if self._spans is None:
            return await self._ask(step, state, call)
        with self._spans.step(
            step.name, subject=subject, participant=step.participant, attempt=attempt
        ) as span:
            finding = await self._ask(step, state, call)
            span.ended(finding)
        return finding

    async def _ask(self, step: Step[S, A], state: S, call: StepCall) -> Finding[A]:
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
        done: _Round[S, A],
        renew: bool,  # noqa: FBT001 - writes take positional arguments
    ) -> tuple[S, Claim | None]:
        """Record what was found; the claim to go on with, None when this drive is over."""
        self._leases.check(connection, claim)
        moved = self._record(connection, done.state, done.finding)
        next_plan = self._saga.plan(moved)
        if next_plan is None:
            self._leases.close(connection, claim)
            return moved, None
        if next_plan.step_names == done.plan.step_names:
            self._postpone(connection, claim, _Round(moved, next_plan, done.finding))
            return moved, None
        if claim.attempts > 0:
            self._leases.progress(connection, claim, step=next_plan.step_names[0])
            return moved, replace(claim, attempts=0)
        if renew:
            self._leases.renew(connection, claim)
        return moved, claim

    def _record(self, connection: Connection, state: S, finding: Finding[A]) -> S:
        match finding:
            case Answered(answer):
                if isinstance(answer, Done):
                    return self._saga.refresh(connection, state)
                return self._saga.record(connection, state, answer)
            case Time.HAS_NOT_COME:
                return self._saga.refresh(connection, state)
            case Time.IS_UP:
                return self._saga.record(connection, state, self._saga.deadline_passed())
            case Failed(step, reason):
                return self._saga.record(connection, state, self._saga.step_failed(step, reason))
            case Unknown(step, participant):
                now = self._saga.refresh(connection, state)
                if not self._is_overdue(now, participant):
                    return now
                return self._saga.record(connection, now, self._saga.step_overdue(step))

    def _postpone(self, connection: Connection, claim: Claim, again: _Round[S, A]) -> None:
        """The same plan later: with backoff, or slowly where only an operator can help."""
        needs_review = self._saga.needs_review(again.state)
        delay_s = self._pace.review_retry_s
        if not needs_review:
            doubled_s = self._pace.backoff_first_s * 2.0 ** min(claim.attempts, _DOUBLINGS_MAX)
            delay_s = min(doubled_s, self._pace.backoff_max_s)
        if again.finding is Time.HAS_NOT_COME and again.plan.not_before is not None:
            delay_s = max(0.0, (again.plan.not_before - self._clock.now()).total_seconds())
        elif again.plan.deadline is not None:
            remaining_s = (again.plan.deadline - self._clock.now()).total_seconds()
            delay_s = max(0.0, min(delay_s, remaining_s))
        self._leases.postpone(
            connection,
            claim,
            delay_s=delay_s,
            error=describe(again.finding),
            needs_review=needs_review,
        )

    def _is_old(self, hold: _Hold) -> bool:
        return self._clock.monotonic() - hold.since_s > self._leases.lease_s / 2

    def _is_overdue(self, state: S, participant: str) -> bool:
        """Whether a step is older than the bound while its participant answers others.

        An outage of a participant must not mark everything that waits for it.
        """
        age_s = (self._clock.now() - self._saga.since(state)).total_seconds()
        answered_at_s = self._answered_at_s.get(participant)
        if age_s <= self._pace.review_after_s or answered_at_s is None:
            return False
        return self._clock.monotonic() - answered_at_s <= _PULSE_S


def _is_left_to_others(plan: Plan[S, A], now: datetime) -> bool:
    return plan.not_before is not None and now < plan.not_before
