"""Medians with confidence intervals, and percentiles, without assumptions about the
distribution.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class MedianEstimate:
    """A median, and the interval that contains the true median with probability `confidence`."""

    median: float
    low: float
    high: float
    confidence: float


def as_text(value: MedianEstimate, form: str) -> str:
    """The median and its interval, as text in a number format."""
    return f"{value.median:{form}} ({value.low:{form}}-{value.high:{form}})"


def estimate_median(values: Sequence[float], confidence: float = CONFIDENCE) -> MedianEstimate:
    """The sample's median, with its interval from order statistics (as in the sign test).

    For any distribution, the true median is below the k-th smallest of n values with probability
    sum(C(n, i) / 2**n for i < k), and above the k-th largest with the same probability. The
    largest k is taken that leaves at least `confidence` between the two. With fewer than six
    values there is no such k for 95 %: the interval is the whole range, and its `confidence` is
    lower. Raises ValueError for no values.
    """
    if not values:
        raise ValueError("no values, no median")
    ordered = sorted(values)
    number = len(ordered)
    rank, outside = 1, _outside(number, 1)
    while rank < (number + 1) // 2 and 1 - _outside(number, rank + 1) >= confidence:
        rank += 1
        outside = _outside(number, rank)
    return MedianEstimate(median(ordered), ordered[rank - 1], ordered[-rank], 1 - outside)


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that `percent` % of the values don't exceed (nearest rank).

    Raises ValueError for no values.
    """
    if not values:
        raise ValueError("no values, no percentile")
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


def _outside(number: int, rank: int) -> float:
    """The probability that the true median is outside of the rank-th smallest and largest."""
    tail: float = sum(comb(number, below) for below in range(rank)) / 2**number
    return min(1.0, 2 * tail)
