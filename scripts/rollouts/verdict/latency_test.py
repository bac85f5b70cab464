"""Is the canary slower than the baseline?

In a block of n attempts the canary's has a rank by latency: 1 is the fastest. If the versions are
equally fast, all ranks are equally probable, whatever the latencies are distributed like and
however slow everything is at the time. If the canary's latency is distributed like the maximum of w
of the baseline's, the probability of a rank follows from drawing the slowest first: the canary's is
the slowest of n with w / (w + n - 1), and so on (Lehmann's alternative, Savage 1956).
"""

from functools import cache

from scripts.rollouts.verdict.attempt import Arm, Attempt
from scripts.rollouts.verdict.matching import Matcher
from scripts.rollouts.verdict.odds_mixture import ODDS, OddsMixture

# What is no reason to withdraw a version: being so many times as slow.
TOLERANCE = 1.2
# One attempt of the canary counts in each of these. A pause of a process (the garbage collector, a
# checkpoint of the database) makes all calls slow that are in flight, and is one observation.
SLICE_S = 0.1
# Latencies of one version differ so much that twice as slow is slower in three of four pairs.
_PRIOR = (4.0, 2.0)


class LatencyTest:
    """The evidence that the canary is slower, as an e-value. It counts successful attempts only."""

    def __init__(self) -> None:
        self._matcher = Matcher()
        self._mixture = OddsMixture(*_PRIOR)
        self._slice = -1

    @property
    def e_value(self) -> float:
        """Under the null hypothesis it ever reaches 1 / alpha with probability alpha at most."""
        return self._mixture.e_value

    def add(self, attempt: Attempt) -> None:
        """Take an attempt."""
        if attempt.failed or not self._is_counted(attempt):
            return
        for block in self._matcher.add(attempt):
            least_s = block.canary.latency_s / TOLERANCE
            # Where two are equal the canary counts as the faster one.
            rank = 1 + sum(each.latency_s < least_s for each in block.baseline)
            self._mixture.multiply(ratios(1 + len(block.baseline), rank))

    def _is_counted(self, attempt: Attempt) -> bool:
        if attempt.arm is Arm.BASELINE:
            return True
        before, self._slice = self._slice, int(attempt.ended_s / SLICE_S)
        return self._slice != before


@cache
def ratios(size: int, rank: int) -> tuple[float, ...]:
    """The likelihood ratio of a rank at each of the mixture's odds."""
    return tuple(size * _probability(size, rank, w) for w in ODDS)


def _probability(size: int, rank: int, w: float) -> float:
    """That the canary's attempt has this rank among `size`: not the slower ones, then this one."""
    probability = w / (w + rank - 1)
    for faster in range(rank, size):
        probability *= faster / (w + faster)
    return probability
