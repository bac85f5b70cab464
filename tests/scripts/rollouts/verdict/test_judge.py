"""When the verdict is that a canary must go."""

from collections.abc import Iterator

import pytest

from scripts.rollouts.verdict.attempt import Arm, Attempt
from scripts.rollouts.verdict.judge import ALPHA, Judge, alphas
from scripts.rollouts.verdict.latency_test import SLICE_S
from scripts.rollouts.verdict.matching import PEERS


def rounds(*, canary: Attempt, baseline: Attempt) -> Iterator[Attempt]:
    """One attempt of the canary for each PEERS of the baseline, each round later than before."""
    now_s = 0.0
    while True:
        now_s += 1.01 * SLICE_S
        for attempt in (*[baseline] * PEERS, canary):
            yield Attempt(attempt.arm, attempt.method, attempt.failed, attempt.latency_s, now_s)


def attempt(arm: Arm, *, failed: bool = False, latency_s: float = 0.01) -> Attempt:
    """An attempt of GetOrder."""
    return Attempt(arm, "GetOrder", failed, latency_s, 0.0)


def judged(canary: Attempt, baseline: Attempt, number: int) -> Judge:
    """A judge after so many rounds."""
    judge, attempts = Judge(ALPHA), rounds(canary=canary, baseline=baseline)
    for _ in range(number * (PEERS + 1)):
        judge.add(next(attempts))
    return judge


def test_three_failures_of_the_canary_alone_are_enough() -> None:
    """They have probability (1/5)^3 if it is as good as the baseline."""
    failing, fine = attempt(Arm.CANARY, failed=True), attempt(Arm.BASELINE)

    assert judged(failing, fine, 2).reason is None
    assert judged(failing, fine, 3).reason == "it fails more often"


def test_what_fails_everywhere_is_nobodys_fault() -> None:
    """While the database is away both versions fail, and the rollout goes on."""
    failing = [attempt(arm, failed=True) for arm in Arm]

    assert judged(failing[0], failing[1], 500).reason is None


@pytest.mark.parametrize(("times", "reason"), [(1.1, None), (2.0, "it is slower")])
def test_a_canary_that_is_a_little_slower_stays(times: float, reason: str | None) -> None:
    """Withdrawn is who is slower than the tolerance allows."""
    canary = attempt(Arm.CANARY, latency_s=0.01 * times)

    assert judged(canary, attempt(Arm.BASELINE), 40).reason == reason


def test_a_pause_counts_once() -> None:
    """Calls that end together after a pause of the process are one observation."""
    judge = Judge(ALPHA)
    for _ in range(30):
        for each in (*[attempt(Arm.BASELINE)] * PEERS, attempt(Arm.CANARY, latency_s=1.0)):
            judge.add(each)

    assert judge.reason is None


def test_a_faster_canary_without_failures_is_no_worse() -> None:
    """Being better is no reason to withdraw it."""
    baseline = attempt(Arm.BASELINE, latency_s=0.05)

    judge = judged(attempt(Arm.CANARY), baseline, 200)

    assert judge.reason is None
    assert judge.failures.e_value == pytest.approx(1.0)
    assert judge.latency.e_value < 1.0


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_all_steps_together_have_one_probability_of_a_false_alarm(steps: int) -> None:
    """Each step has a part of it, the first the largest."""
    parts = alphas(steps)

    assert sum(parts) == pytest.approx(ALPHA)
    assert len(parts) == steps
    assert max(parts) == parts[0]
