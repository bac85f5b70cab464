"""Simulated traffic to a canary and its baseline: how often is the verdict wrong, how soon right?

The traffic is worse than the tests assume: several workers call at once, so attempts end in another
order than they began; latencies have a long tail; all are slow together from time to time; and both
versions fail now and then, more often while everything is slow.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass

from scripts.rollouts.verdict.attempt import Arm, Attempt
from scripts.rollouts.verdict.judge import Judge, alphas

_WORKERS = 8
_MEDIAN_LATENCY_S, _SPREAD = 0.01, 0.6
_PAUSE_S = 0.05
_SLOWER_IN_BAD_TIMES = 5.0
_METHODS = ("GetOrder", "GetOrder", "GetOrder", "CreateOrder")
# Of three calls to the baseline one goes to the canary, as `shares` gives them out.
_CANARY_PART = 0.2


@dataclass(frozen=True, slots=True)
class Conditions:
    """What happens to both versions: how often they fail, and bad times.

    A bad time lasts a second on average, in which all calls are five times as slow.
    """

    failing: float
    bad_times_per_s: float
    failing_in_bad_times: float


CALM = Conditions(failing=0.001, bad_times_per_s=0.02, failing_in_bad_times=0.001)
ROUGH = Conditions(failing=0.005, bad_times_per_s=0.2, failing_in_bad_times=0.2)


@dataclass(frozen=True, slots=True)
class SimulatedVersion:
    """What distinguishes a simulated canary from its baseline."""

    failing: float = 0.0
    slower: float = 1.0


GOOD = SimulatedVersion()


class _Traffic:
    """The calls of all workers to a canary and its baseline."""

    def __init__(
        self, version: SimulatedVersion, conditions: Conditions, rng: random.Random
    ) -> None:
        self._version = version
        self._conditions = conditions
        self._rng = rng
        self._bad_from_s = rng.expovariate(conditions.bad_times_per_s)
        self._bad_until_s = self._bad_from_s + rng.expovariate(1.0)

    def attempts(self, number: int) -> Iterator[Attempt]:
        """So many attempts, in the order in which they end."""
        calls = [(self._rng.random() * _PAUSE_S, worker) for worker in range(_WORKERS)]
        heapq.heapify(calls)
        ending: list[tuple[float, int, Attempt]] = []
        for place in range(number):
            began_s, worker = heapq.heappop(calls)
            attempt = self._attempt(began_s)
            heapq.heappush(ending, (attempt.ended_s, place, attempt))
            heapq.heappush(calls, (attempt.ended_s + self._rng.random() * _PAUSE_S, worker))
            while ending and ending[0][0] <= calls[0][0]:
                yield heapq.heappop(ending)[2]

    def _attempt(self, began_s: float) -> Attempt:
        rng, is_bad_time = self._rng, self._is_bad_time(began_s)
        arm = Arm.CANARY if rng.random() < _CANARY_PART else Arm.BASELINE
        latency_s = rng.lognormvariate(0.0, _SPREAD) * _MEDIAN_LATENCY_S
        failing = self._conditions.failing
        if is_bad_time:
            latency_s *= _SLOWER_IN_BAD_TIMES
            failing = self._conditions.failing_in_bad_times
        if arm is Arm.CANARY:
            latency_s *= self._version.slower
            failing += self._version.failing
        failed = rng.random() < failing
        return Attempt(arm, rng.choice(_METHODS), failed, latency_s, began_s + latency_s)

    def _is_bad_time(self, now_s: float) -> bool:
        if now_s > self._bad_until_s:
            self._bad_from_s = now_s + self._rng.expovariate(self._conditions.bad_times_per_s)
            self._bad_until_s = self._bad_from_s + self._rng.expovariate(1.0)
        return now_s >= self._bad_from_s


@dataclass(frozen=True, slots=True)
class Result:
    """How a simulated rollout ended: withdrawn for a reason, or not, after so many canary calls."""

    reason: str | None
    canary_attempts: int
    seconds: float


def simulate(
    version: SimulatedVersion,
    conditions: Conditions,
    rng: random.Random,
    *,
    attempts: int,
    steps: int = 3,
) -> Result:
    """Judge a rollout of so many attempts in each step, looking after each of them."""
    canary_attempts, seconds = 0, 0.0
    for alpha in alphas(steps):
        judge, ended_s = Judge(alpha), 0.0
        for attempt in _Traffic(version, conditions, rng).attempts(attempts):
            judge.add(attempt)
            ended_s = attempt.ended_s
            if judge.reason:
                break
        canary_attempts += judge.attempts[Arm.CANARY]
        seconds += ended_s
        if judge.reason:
            return Result(judge.reason, canary_attempts, seconds)
    return Result(None, canary_attempts, seconds)
