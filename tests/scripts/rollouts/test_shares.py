"""How the calls are divided during a rollout."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.rollouts.shares import SCALE, RolloutInstances, weights

INSTANCES = RolloutInstances(old=("order-1", "order-2"), baseline="order-3", canary="order-4")


@given(st.floats(0.01, 0.9))
def test_the_canary_gets_its_share(share: float) -> None:
    """Whatever the step, and nobody is left without a weight that Consul takes."""
    given_out = weights(INSTANCES, share)

    assert given_out["order-4"] / sum(given_out.values()) == pytest.approx(share, rel=0.02)
    assert all(1 <= weight <= 65_535 for weight in given_out.values())


def test_the_baseline_gets_four_calls_for_one_of_the_canary() -> None:
    """As many as an attempt of the canary has peers."""
    assert weights(INSTANCES, 0.1) == {
        "order-4": 0.1 * SCALE,
        "order-3": 0.4 * SCALE,
        "order-1": 0.25 * SCALE,
        "order-2": 0.25 * SCALE,
    }


def test_the_old_instances_keep_half_of_what_the_canary_leaves() -> None:
    """One young instance must not carry all that the old ones did."""
    assert weights(INSTANCES, 0.5) == {
        "order-4": 0.5 * SCALE,
        "order-3": 0.25 * SCALE,
        "order-1": 0.125 * SCALE,
        "order-2": 0.125 * SCALE,
    }
