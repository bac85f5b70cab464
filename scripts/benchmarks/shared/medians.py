"""Medians, their intervals, and percentiles: what a sample says without assuming its shape."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class MedianEstimate:
    """A median and the interval that holds the true one with the probability `confidence`."""

    median: float
    low: float
    high: float
    confidence: float


def as_text(value: MedianEstimate, form: str) -> str:
    """The median, and the interval behind it, each in this format."""
    return f"{value.median:{form}} ({value.low:{form}}-{value.high:{form}})"


def estimate_median(values: Sequence[float], confidence: float = CONFIDENCE) -> MedianEstimate:
    """The sample's median, and its interval from the order statistics.

    The true median lies below the k-th smallest of n values with the probability
    sum(C(n, i) / 2**n for i < k), whatever they are distributed like, and above the k-th largest
    with the same. The largest k that leaves at least `confidence` between the two is taken; with
    fewer than six values there is none for 95 %, so it is the whole range, and `confidence` says
    how little that is. Raises ValueError for no values.
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
    """The smallest value that `percent` of a hundred don't exceed (nearest rank).

    Raises ValueError for no values.
    """
    if not values:
        raise ValueError("no values, no percentile")
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


def _outside(number: int, rank: int) -> float:
    """How likely the true median is not between the rank-th smallest and largest of `number`."""
    tail: float = sum(comb(number, below) for below in range(rank)) / 2**number
    return min(1.0, 2 * tail)
