"""The e-values of both tests: exact under the null hypothesis, large under the alternative."""

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.rollouts.verdict import failure_test, latency_test
from scripts.rollouts.verdict.odds_mixture import ODDS, OddsMixture

SIZES = st.integers(2, 8)


@given(SIZES, st.data())
def test_failures_have_no_expected_evidence_if_versions_are_equal(
    size: int, data: st.DataObject
) -> None:
    """If the canary's is one of the failed with probability s / n, the mean ratio is 1."""
    failures = data.draw(st.integers(1, size - 1))
    failed = failure_test.ratios(size, failures, canary_failed=True)
    succeeded = failure_test.ratios(size, failures, canary_failed=False)

    for one, other in zip(failed, succeeded, strict=True):
        assert isclose(failures / size * one + (1 - failures / size) * other, 1.0)


@given(SIZES)
def test_latencies_have_no_expected_evidence_if_versions_are_equal(size: int) -> None:
    """If all ranks are equally probable, the mean ratio is 1."""
    for ratios in zip(
        *(latency_test.ratios(size, rank) for rank in range(1, size + 1)), strict=True
    ):
        assert isclose(sum(ratios) / size, 1.0)


@given(SIZES)
def test_a_canary_within_the_tolerance_has_less_evidence(size: int) -> None:
    """A higher rank is more evidence, so a canary that is faster than allowed has less of it."""
    for at_odds in zip(
        *(latency_test.ratios(size, rank) for rank in range(1, size + 1)), strict=True
    ):
        assert list(at_odds) == sorted(at_odds)


@pytest.mark.parametrize("failures", [3, 6, 12])
def test_of_pairs_it_is_the_beta_binomial_mixture(failures: int) -> None:
    """After k failures, all of the canary's, it is 2^k E[q^k], q ~ Beta(10, 1/2) above one half."""
    steps = 400_000
    places = [0.5 + (step + 0.5) / (2 * steps) for step in range(steps)]
    density = [q**9 * (1 - q) ** -0.5 for q in places]
    exact = sum(d * (2 * q) ** failures for d, q in zip(density, places, strict=True))
    mixture = OddsMixture(10.0, 0.5)

    for _ in range(failures):
        mixture.multiply(failure_test.ratios(2, 1, canary_failed=True))

    assert mixture.e_value == pytest.approx(exact / sum(density), rel=0.02)


def test_the_odds_are_above_one() -> None:
    """A canary that is better than the old version is never evidence against it."""
    assert min(ODDS) > 1.0
