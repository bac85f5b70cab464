"""The model of a saga: calls that must all happen, or be compensated.

A saga returns the plan for the state it is in, and `runner` carries the plan out. The state is
stored before a call is sent, and a repeated call uses the same step id. So when a runner dies at
any point, another one repeats exactly the same calls.

A call ends in one of three ways:

    an answer       is final, and is recorded
    unknown         repeat the step later; a timeout is no failure (`UNKNOWN_CODES`, `Pending`)
    a failure       one of our services refused for good, or the answer contradicts the state
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Generic, Protocol, TypeAlias, TypeVar

import grpc
from sqlalchemy import Connection

from discovery.error_info import error_info
from services.chassis.store.unit.needs import Needs
from services.chassis.telemetry.correlation import Correlation

S = TypeVar("S")
A = TypeVar("A")

# The namespace of all step ids. Never change it: a repeated step would become a new request.
_STEP_IDS = uuid.UUID("6f1d2b0e-8c7a-5d4e-9b3f-2a1c0e7d5f48")

# The topic of the events that choreographed sagas consist of.
CHOREOGRAPHY = "choreography"

# Our servers and gRPC itself may answer these although the call had its effect, or will have it.
UNKNOWN_CODES = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
_OUR_DOMAINS = ".tradepost"


class Done(Enum):
    """The answer of a step that is done and has no further result."""

    DONE = "done"


@dataclass(frozen=True, slots=True)
class Pending:
    """The participant answered, but does not know the outcome itself yet: ask again."""

    note: str


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A final answer that contradicts the state: an operator should look at it."""

    reason: str


@dataclass(frozen=True, slots=True)
class StepCall:
    """The id of a step's call, the same for every repeat, and how long to wait for its answer."""

    step_id: str
    timeout_s: float


Action: TypeAlias = Callable[[S, StepCall], Awaitable[A | Done | Pending | Contradiction]]


@dataclass(frozen=True, slots=True, eq=False)
class Step(Generic[S, A]):
    """One call of one participant, idempotent by its step id.

    `compensation` undoes it, whether or not the call arrived. After the pivot a saga only goes
    forward, unless a participant's answer proves that the pivot had no effect.
    """

    name: str
    participant: str
    action: Action[S, A]
    compensation: "Step[S, A] | None" = None
    is_pivot: bool = False


@dataclass(frozen=True, slots=True)
class Plan(Generic[S, A]):
    """What to do in one state: stages one after the other, the steps of a stage in parallel.

    The runner stops repeating at `deadline` (None: never). When a stage has answered, it records
    the first answer other than `Done` and skips the stages after it. If every step is `Done`, it
    records `conclusion` (None: nothing). Until `not_before` other services execute the steps and
    report the outcome themselves (None: the runner starts at once).
    """

    stages: tuple[tuple[Step[S, A], ...], ...]
    deadline: datetime | None = None
    not_before: datetime | None = None
    conclusion: A | None = None

    @property
    def step_names(self) -> tuple[str, ...]:
        """The identity of a plan: a saga has made progress when its plan has other steps."""
        return tuple(step.name for stage in self.stages for step in stage)


class Saga(Protocol[S, A]):
    """What the runner needs of a business: its states `S` and answers `A`."""

    def load(self, connection: Connection, subject: str) -> S:
        """Load the stored state."""
        ...

    def needs(self, subject: str) -> Needs:
        """Name the rows that `refresh` and `record` read by key."""
        ...

    def refresh(self, connection: Connection, state: S) -> S:
        """Load the state again: another writer may have changed it (a cancellation)."""
        ...

    def record(self, connection: Connection, state: S, answer: A) -> S:
        """Apply the answer to the currently stored state, and store and return the result."""
        ...

    def plan(self, state: S) -> Plan[S, A] | None:
        """Return what to do; None when nothing is left to do."""
        ...

    def origin(self, state: S) -> Correlation:
        """Return the correlation of the request that the saga goes back to."""
        ...

    def since(self, state: S) -> datetime:
        """Return when the current step began."""
        ...

    def attempt(self, state: S, step: str) -> int:
        """Return the number of a step's attempt, from 1; each attempt has its own step id."""
        ...

    def needs_review(self, state: S) -> bool:
        """Whether the current step waits for an operator's review."""
        ...

    def deadline_passed(self) -> A:
        """Return what to record when a plan's deadline has passed."""
        ...

    def step_failed(self, step: str, reason: str) -> A:
        """Return what to record when a step was refused for good or contradicts the state."""
        ...

    def step_overdue(self, step: str) -> A:
        """Return what to record when a step takes too long while its participant answers others."""
        ...


def step_id(subject: str, step: str, attempt: int) -> str:
    """Return the request id of a step: the UUID (version 5) of "subject/step/attempt"."""
    return str(uuid.uuid5(_STEP_IDS, f"{subject}/{step}/{attempt}"))


def failure_reason(error: grpc.aio.AioRpcError) -> str | None:
    """Return why a participant refused a call for good; None if the outcome is unknown.

    Only an error that one of our own services raised is definite: a proxy in between may answer
    with any code after the call had its effect.
    """
    ours = error_info(error)
    if ours is None or not ours.domain.endswith(_OUR_DOMAINS) or error.code() in UNKNOWN_CODES:
        return None
    return ours.reason
