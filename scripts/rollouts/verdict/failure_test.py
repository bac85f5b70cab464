"""Does the canary fail more often than the baseline?

Of n attempts in a block, s failed. If the versions are equally good, the canary's is one of the s
with probability s / n, however often everything fails at the time: when the database is away, all
fail, and that says nothing. If the odds of a failure are w times those of the baseline, it is
w s / (w s + n - s) (Fisher's noncentral hypergeometric distribution with one draw).
"""

from functools import cache

from scripts.rollouts.verdict.attempt import Attempt
from scripts.rollouts.verdict.matching import Matcher
from scripts.rollouts.verdict.odds_mixture import ODDS, OddsMixture

# Most of it is far from one half: a bad version usually fails calls that the old one doesn't fail.
_PRIOR = (10.0, 0.5)


class FailureTest:
    """The evidence that the canary fails more often, as an e-value."""

    def __init__(self) -> None:
        self._matcher = Matcher()
        self._mixture = OddsMixture(*_PRIOR)

    @property
    def e_value(self) -> float:
        """Under the null hypothesis it ever reaches 1 / alpha with probability alpha at most."""
        return self._mixture.e_value

    def add(self, attempt: Attempt) -> None:
        """Take an attempt."""
        for block in self._matcher.add(attempt):
            failed = block.canary.failed
            failures = failed + sum(each.failed for each in block.baseline)
            size = 1 + len(block.baseline)
            # If all or none failed, who is the canary's makes no difference.
            if 0 < failures < size:
                self._mixture.multiply(ratios(size, failures, canary_failed=failed))


@cache
def ratios(size: int, failures: int, *, canary_failed: bool) -> tuple[float, ...]:
    """The likelihood ratio of a block at each of the mixture's odds."""
    if canary_failed:
        return tuple(w * size / (w * failures + size - failures) for w in ODDS)
    return tuple(size / (w * failures + size - failures) for w in ODDS)
