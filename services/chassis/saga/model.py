"""What a saga is made of: calls that must all happen or be made up for.

A saga tells the plan of the state it is in; `saga_runner` carries it out. Intents are in the
state before a call leaves, and calls are named by step ids that a repeat uses again, so a runner
that dies at any point is followed by another that does the same.

What a call ended with is one of:

    an answer       final, and recorded
    unknown         the same step again, later: a timeout is no failure (`UNKNOWN_CODES`, `Pending`)
    a failure       refused for good with an error of ours, or an answer that can't be
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
from services.chassis.telemetry.correlation import Correlation

S = TypeVar("S")
A = TypeVar("A")

# One namespace for all step ids, for ever: another one would make every repeat a new request.
_STEP_IDS = uuid.UUID("6f1d2b0e-8c7a-5d4e-9b3f-2a1c0e7d5f48")

# The topic of the facts that choreographed sagas are made of.
CHOREOGRAPHY = "choreography"

# What our servers and gRPC itself may answer although the call had, or will have, its effect.
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
    """The answer of a step that has nothing to tell, save that it is done."""

    DONE = "done"


@dataclass(frozen=True, slots=True)
class Pending:
    """The participant answered, but doesn't know the outcome itself: ask again."""

    note: str


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A final answer that can't be: an operator should look."""

    reason: str


@dataclass(frozen=True, slots=True)
class StepCall:
    """How a step is called: by which id, the same for every repeat, and for how long to wait."""

    step_id: str
    timeout_s: float


Action: TypeAlias = Callable[[S, StepCall], Awaitable[A | Done | Pending | Contradiction]]


@dataclass(frozen=True, slots=True, eq=False)
class Step(Generic[S, A]):
    """One call of one participant, idempotent by its step id.

    `compensation` makes up for it, whether or not the call arrived. From the pivot on there is
    no way back but by evidence.
    """

    name: str
    participant: str
    action: Action[S, A]
    compensation: "Step[S, A] | None" = None
    is_pivot: bool = False


@dataclass(frozen=True, slots=True)
class Plan(Generic[S, A]):
    """What to do in one state: stages one after the other, the steps of a stage together.

    `deadline` ends the repeating (None: it never ends). `conclusion` is recorded once every step
    has answered; where it is None, the last answer is. Until `not_before` others take the steps,
    and record what came of it themselves (None: nobody else does).
    """

    stages: tuple[tuple[Step[S, A], ...], ...]
    deadline: datetime | None = None
    not_before: datetime | None = None
    conclusion: A | None = None

    @property
    def step_names(self) -> tuple[str, ...]:
        """Tells one plan from another: progress is a plan with other steps."""
        return tuple(step.name for stage in self.stages for step in stage)


class Saga(Protocol[S, A]):
    """What the runner needs to know of a business: its states `S` and answers `A`."""

    def load(self, connection: Connection, subject: str) -> S:
        """The state as it is stored."""
        ...

    def refresh(self, connection: Connection, state: S) -> S:
        """The state as it is stored by now; somebody else may have recorded a wish."""
        ...

    def record(self, connection: Connection, state: S, answer: A) -> S:
        """Decide what the answer makes happen to the state as it is by now, and store it."""
        ...

    def plan(self, state: S) -> Plan[S, A] | None:
        """What to do; None when nothing is left to do."""
        ...

    def origin(self, state: S) -> Correlation:
        """Whose story this is."""
        ...

    def since(self, state: S) -> datetime:
        """When the current step began."""
        ...

    def attempt(self, state: S, step: str) -> int:
        """The current attempt of a step, from 1; a new attempt is a new intention."""
        ...

    def needs_review(self, state: S) -> bool:
        """Whether an operator was asked to look at the current step."""
        ...

    def deadline_passed(self) -> A:
        """What to record when a plan's deadline is over."""
        ...

    def step_failed(self, step: str, reason: str) -> A:
        """What to record when a step was refused for good, or answered what can't be."""
        ...

    def step_overdue(self, step: str) -> A:
        """What to record when a step takes too long while its participant answers others."""
        ...


def step_id(subject: str, step: str, attempt: int) -> str:
    """The request id of a step: the UUID (version 5) of "subject/step/attempt"."""
    return str(uuid.uuid5(_STEP_IDS, f"{subject}/{step}/{attempt}"))


def failure_reason(error: grpc.aio.AioRpcError) -> str | None:
    """Why a participant refused a call for good; None where the outcome is unknown.

    Only an error that one of our own services raised is definite: anything between it and us may
    answer with any code after the call had its effect.
    """
    ours = error_info(error)
    if ours is None or not ours.domain.endswith(_OUR_DOMAINS) or error.code() in UNKNOWN_CODES:
        return None
    return ours.reason
