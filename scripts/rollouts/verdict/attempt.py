"""One attempt of a call, and which of the two compared instances it went to."""

from dataclasses import dataclass
from enum import Enum


class Arm(Enum):
    """Whom an attempt went to: the new version, or an instance of the old one of the same age."""

    CANARY = "canary"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that has ended, at the instant `ended_s` of one clock for all.

    Only attempts of one `method` are compared with each other.
    """

    arm: Arm
    method: str
    failed: bool
    latency_s: float
    ended_s: float
