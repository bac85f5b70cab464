"""One rollout: gives the canary more and more calls, until it is withdrawn or has passed."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from discovery.clock import Clock
from scripts.replay.observations import Observations
from scripts.rollouts.shares import RolloutInstances, weights
from scripts.rollouts.traffic import Traffic
from scripts.rollouts.verdict.attempt import Arm, Attempt
from scripts.rollouts.verdict.judge import Judge, alphas

_LOOK_EVERY_S = 0.02
_SAY_EVERY_S = 1.0
# By then the last calls to a canary that was taken out have ended, and are in the edge's log.
_COUNTED_AFTER_S = 2.0
# A step that gets no evidence keeps its weights for so long.
STEP_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended; `reason`: why the canary was withdrawn, None if it has passed all steps.

    `calls` counts the attempts of the canary, `failed` those of them that failed, and `seconds`
    since the canary got its first share.
    """

    reason: str | None
    calls: int
    failed: int
    seconds: float


class Rollout:
    """Give `take` every attempt of the canary and of the baseline while `run` runs."""

    def __init__(
        self,
        instances: RolloutInstances,
        traffic: Traffic,
        *,
        steps: Sequence[float],
        least_calls: int,
        observations: Observations,
        clock: Clock,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._instances = instances
        self._traffic = traffic
        self._steps = steps
        self._least_calls = least_calls
        self._observations = observations
        self._clock = clock
        self._say = say
        self._judge = Judge(alphas(len(steps))[0])
        self._calls: Counter[Arm] = Counter()
        self._failed: Counter[Arm] = Counter()

    def take(self, attempt: Attempt) -> None:
        """Judge an attempt that has ended."""
        self._calls[attempt.arm] += 1
        self._failed[attempt.arm] += attempt.failed
        self._judge.add(attempt)

    async def run(self) -> Outcome:
        """Take the steps; at the first reason the canary is taken out. Raises RegistryError."""
        began_s = self._clock.monotonic()
        reason = None
        ended_s = began_s
        for share, alpha in zip(self._steps, alphas(len(self._steps)), strict=True):
            self._judge = Judge(alpha)
            await self._traffic.set(weights(self._instances, share))
            reason = await self._watch(share)
            if reason is not None:
                await self._traffic.take_out(self._instances.canary, f"withdrawn: {reason}")
            ended_s = self._clock.monotonic()
            if reason is not None:
                await self._clock.sleep(_COUNTED_AFTER_S)
                break
        seconds = ended_s - began_s
        return Outcome(reason, self._calls[Arm.CANARY], self._failed[Arm.CANARY], seconds)

    async def _watch(self, share: float) -> str | None:
        """Wait until the step has a reason to end in, or enough calls without one."""
        began_s = said_s = self._clock.monotonic()
        while self._judge.attempts[Arm.CANARY] < self._least_calls:
            reason = self._reason()
            if reason is not None:
                return reason
            now_s = self._clock.monotonic()
            if now_s > began_s + STEP_TIMEOUT_S:
                return "it gets too few calls for a verdict"
            if now_s > said_s + _SAY_EVERY_S:
                said_s = now_s
                self._say(f"{share:.0%}: {self._evidence()}")
            await self._clock.sleep(_LOOK_EVERY_S)
        self._say(f"{share:.0%}: passed, {self._evidence()}")
        return self._reason()

    def _reason(self) -> str | None:
        violations = self._observations.violations
        return f"promise broken: {violations[0]}" if violations else self._judge.reason

    def _evidence(self) -> str:
        judge = self._judge
        sides = (
            f"{judge.failed[arm]:,} of {judge.attempts[arm]:,} calls to the {arm.value} failed"
            for arm in Arm
        )
        return (
            f"{', '.join(sides)}; evidence: fails more {judge.failures.e_value:.2g}, slower"
            f" {judge.latency.e_value:.2g}"
        )
