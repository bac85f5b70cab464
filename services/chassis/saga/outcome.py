"""What came of a step of a saga."""

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeAlias, TypeVar

from services.chassis.saga.model import Done

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Answered(Generic[A]):
    """A final answer, to be recorded."""

    answer: A | Done


@dataclass(frozen=True, slots=True)
class Failed:
    """Refused for good, or an answer that can't be."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer, or none that is final: the same step again, later."""

    step: str
    participant: str
    error: str


class Time(Enum):
    """The step wasn't tried."""

    IS_UP = "the deadline passed"
    HAS_NOT_COME = "others take it until then"


Finding: TypeAlias = Answered[A] | Failed | Unknown | Time


def describe(finding: Finding[A]) -> str:
    """Why there is no answer, for whoever reads the lease; empty where there is one."""
    match finding:
        case Unknown(step, _, error):
            return f"{step}: {error}"
        case Failed(step, reason):
            return f"{step}: {reason}"
        case _:
            return ""
