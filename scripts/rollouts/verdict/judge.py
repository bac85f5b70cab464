"""The verdict of one step of a rollout: both tests share the probability of a false alarm."""

from collections import Counter
from collections.abc import Sequence

from scripts.rollouts.verdict.attempt import Arm, Attempt
from scripts.rollouts.verdict.failure_test import FailureTest
from scripts.rollouts.verdict.latency_test import LatencyTest

# The probability that a good version is withdrawn, over a whole rollout.
ALPHA = 0.05
# Failures are rarer than slow calls, so they need the larger part to be found early.
_FAILURES_PART = 0.8
# Most bad versions show in the first step, when the fewest calls are lost to them.
_FIRST_STEP_PART = 0.8


class Judge:
    """Says after each attempt whether the canary is to be withdrawn; `alpha` is its false alarms.

    Each step has a judge of its own: evidence for the version that a long good time has gathered
    would hide that it breaks under the load of a later step.
    """

    def __init__(self, alpha: float) -> None:
        self.failures = FailureTest()
        self.latency = LatencyTest()
        self.attempts: Counter[Arm] = Counter()
        self.failed: Counter[Arm] = Counter()
        self._failures_limit = 1 / (alpha * _FAILURES_PART)
        self._latency_limit = 1 / (alpha * (1 - _FAILURES_PART))
        self.reason: str | None = None

    def add(self, attempt: Attempt) -> None:
        """Take an attempt. `reason` stays what it is once it is set."""
        self.attempts[attempt.arm] += 1
        self.failed[attempt.arm] += attempt.failed
        self.failures.add(attempt)
        self.latency.add(attempt)
        if self.reason is None:
            self.reason = self._reason()

    def _reason(self) -> str | None:
        if self.failures.e_value >= self._failures_limit:
            return "it fails more often"
        if self.latency.e_value >= self._latency_limit:
            return "it is slower"
        return None


def alphas(steps: int) -> Sequence[float]:
    """The part of ALPHA for each step of a rollout; they add up to ALPHA."""
    if steps == 1:
        return [ALPHA]
    later = ALPHA * (1 - _FIRST_STEP_PART) / (steps - 1)
    return [ALPHA * _FIRST_STEP_PART, *[later] * (steps - 1)]
