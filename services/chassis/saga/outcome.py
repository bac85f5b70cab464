"""The outcome of one step of a saga."""

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeAlias, TypeVar

from services.chassis.saga.model import Done

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Answered(Generic[A]):
    """The participant gave a final answer."""

    answer: A | Done


@dataclass(frozen=True, slots=True)
class Failed:
    """The participant refused for good, or gave an answer that contradicts the state."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """There is no answer, or none that is final: the same step is repeated later."""

    step: str
    participant: str
    error: str


class NotTried(Enum):
    """The step was not called."""

    DEADLINE_PASSED = "the deadline passed"
    NOT_YET = "others take it until then"


StepOutcome: TypeAlias = Answered[A] | Failed | Unknown | NotTried


def describe(outcome: StepOutcome[A]) -> str:
    """Say why there is no answer, for the lease's row; empty if there is an answer."""
    match outcome:
        case Unknown(step, _, error):
            return f"{step}: {error}"
        case Failed(step, reason):
            return f"{step}: {reason}"
        case _:
            return ""
