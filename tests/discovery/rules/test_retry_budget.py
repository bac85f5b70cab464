"""How many retries a client may add to its load."""

import pytest

from discovery.rules.retry_budget import RetryBudget, Throttle


def withdrawals(budget: RetryBudget, now_s: float) -> int:
    """How many retries are allowed at this instant."""
    number = 0
    while budget.withdraw(now_s):
        number += 1
    return number


def test_the_reserve_allows_ten_retries_a_second() -> None:
    """Of ten seconds: a quiet client may retry at all."""
    assert withdrawals(RetryBudget(), 0.0) == 100


def test_a_fifth_of_the_calls_may_be_retried() -> None:
    """20 % on top of the reserve."""
    budget = RetryBudget()
    for _ in range(1000):
        budget.deposit(0.5)

    assert withdrawals(budget, 0.9) == 100 + 200


def test_without_a_reserve_only_calls_pay() -> None:
    """Hedges, for instance, draw on it so."""
    budget = RetryBudget(reserve_per_s=0.0)
    for _ in range(10):
        budget.deposit(0.0)

    assert withdrawals(budget, 0.0) == 2


def test_calls_and_retries_are_forgotten_after_10_s() -> None:
    """The window slides: what was spent comes back, what was paid in goes."""
    budget = RetryBudget(reserve_per_s=0.1)
    for _ in range(100):
        budget.deposit(0.0)
    assert withdrawals(budget, 0.0) == 21

    assert withdrawals(budget, 9.9) == 0
    assert withdrawals(budget, 10.0) == 1


def test_each_second_leaves_on_its_own() -> None:
    """Calls of the third second count until the thirteenth."""
    budget = RetryBudget(reserve_per_s=0.0)
    for second in range(10):
        for _ in range(10):
            budget.deposit(float(second))

    assert budget.allowed == 20.0
    budget.deposit(12.0)
    assert budget.allowed == pytest.approx((7 * 10 + 1) * 0.2)


def test_a_throttle_stops_retries_at_half_of_its_tokens() -> None:
    """Each failure costs one (gRFC A6)."""
    throttle = Throttle(max_tokens=10, token_ratio=0.1)
    for _ in range(4):
        throttle.failed()
    assert throttle.allows

    throttle.failed()

    assert not throttle.allows


def test_successes_pay_tokens_back_up_to_the_maximum() -> None:
    """tokenRatio each."""
    throttle = Throttle(max_tokens=10, token_ratio=0.5)
    throttle.succeeded()
    for _ in range(5):
        throttle.failed()
    assert not throttle.allows

    throttle.succeeded()

    assert throttle.allows


def test_tokens_never_fall_below_zero() -> None:
    """A long outage doesn't have to be paid back failure by failure."""
    throttle = Throttle(max_tokens=2, token_ratio=1.0)
    for _ in range(100):
        throttle.failed()

    throttle.succeeded()
    throttle.succeeded()

    assert throttle.allows
