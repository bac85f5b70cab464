"""How often the verdict is wrong, and how soon it is right, in simulated traffic."""

import random

from scripts.rollouts.verdict.judge import ALPHA
from scripts.rollouts.verdict.simulated_traffic import CALM, GOOD, ROUGH, SimulatedVersion, simulate

SIMULATIONS = 1_000


def test_equally_good_versions_are_rarely_withdrawn() -> None:
    """Of 1,000 rollouts of the old version beside itself, looked at after every call, at most 5 %
    are withdrawn, although calls come in bursts, and fail and slow down together.
    """
    withdrawn = sum(
        simulate(GOOD, ROUGH, random.Random(seed), attempts=300, steps=1).reason is not None
        for seed in range(SIMULATIONS)
    )

    assert 0 < withdrawn <= ALPHA * SIMULATIONS


def test_a_version_that_fails_5_percent_is_withdrawn_within_150_calls() -> None:
    """Nine of ten times; the rest is what chance does with 5 %."""
    results = [
        simulate(SimulatedVersion(failing=0.05), CALM, random.Random(seed), attempts=4_000)
        for seed in range(100)
    ]

    assert all(result.reason == "it fails more often" for result in results)
    assert sum(result.canary_attempts <= 150 for result in results) >= 90


def test_a_version_that_is_twice_as_slow_is_withdrawn_within_10_seconds() -> None:
    """Although the latencies of each version differ tenfold."""
    results = [
        simulate(SimulatedVersion(slower=2.0), CALM, random.Random(seed), attempts=4_000)
        for seed in range(100)
    ]

    assert all(result.reason == "it is slower" for result in results)
    assert sum(result.seconds <= 10.0 for result in results) >= 95
