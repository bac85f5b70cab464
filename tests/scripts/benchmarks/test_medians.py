"""Medians with confidence intervals, and percentiles."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.benchmarks.shared.medians import estimate_median, percentile

samples = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=150)


@pytest.mark.parametrize(
    ("number", "rank", "confidence"),
    [
        (1, 1, 0.0),
        (5, 1, 0.9375),
        (6, 1, 0.96875),
        (9, 2, 0.9609375),
        (12, 3, 0.961426),
        (20, 6, 0),
    ],
)
def test_the_interval_is_that_of_the_tables(number: int, rank: int, confidence: float) -> None:
    """The interval's ranks equal the published tables of the sign test at 95 %."""
    found = estimate_median([float(value) for value in range(1, number + 1)])

    assert (found.low, found.high) == (rank, number + 1 - rank)
    assert not confidence or found.confidence == pytest.approx(confidence, abs=1e-6)


def test_no_sample_is_no_estimate() -> None:
    """An empty sample is an error, not zero."""
    with pytest.raises(ValueError, match="no values"):
        estimate_median([])
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


@given(samples)
def test_a_median_lies_in_its_interval(values: list[float]) -> None:
    """A median lies in its interval, and the interval within the sample."""
    found = estimate_median(values)

    assert min(values) <= found.low <= found.median <= found.high <= max(values)


@given(st.integers(6, 400))
def test_six_values_are_enough_for_95_percent(number: int) -> None:
    """From six values on, the interval's confidence is at least 95 %."""
    found = estimate_median([float(value) for value in range(number)])

    assert found.confidence >= 0.95


def test_more_rounds_narrow_the_interval() -> None:
    """A larger sample has a narrower interval."""
    widths = []
    for number in (6, 25, 100, 400):
        found = estimate_median([value / number for value in range(number)])
        widths.append(found.high - found.low)

    assert all(wide > narrow for wide, narrow in pairwise(widths))


@given(samples, st.integers(1, 100))
def test_a_percentile_is_a_value_that_was_seen(values: list[float], percent: int) -> None:
    """A percentile is the smallest value that at least this share of the sample doesn't exceed."""
    found = percentile(values, percent)

    assert found in values
    assert 100 * sum(value <= found for value in values) >= percent * len(values)
    assert 100 * sum(value < found for value in values) < percent * len(values)
