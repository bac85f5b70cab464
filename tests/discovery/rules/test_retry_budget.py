"""The limit of the retries that a client adds to its load."""

import pytest

from discovery.rules.retry_budget import RetryBudget, Throttle


def withdrawals(budget: RetryBudget, now_s: float) -> int:
    """How many retries are allowed at this instant."""
    number = 0
    while budget.withdraw(now_s):
        number += 1
    return number


def test_the_reserve_allows_ten_retries_a_second() -> None:
    """The reserve of the 10 s window lets a client with few calls retry."""
    assert withdrawals(RetryBudget(), 0.0) == 100


def test_a_fifth_of_the_calls_may_be_retried() -> None:
    """20 % of the calls may be retried in addition to the reserve."""
    budget = RetryBudget()
    for _ in range(1000):
        budget.deposit(0.5)

    assert withdrawals(budget, 0.9) == 100 + 200


def test_without_the_reserve_only_calls_count() -> None:
    """Hedges are paid from deposits of calls alone."""
    budget = RetryBudget(reserve_per_s=0.0)
    for _ in range(10):
        budget.deposit(0.0)

    assert withdrawals(budget, 0.0) == 2


def test_calls_and_retries_are_forgotten_after_10_s() -> None:
    """Both deposits and withdrawals leave the window after 10 s."""
    budget = RetryBudget(reserve_per_s=0.1)
    for _ in range(100):
        budget.deposit(0.0)
    assert withdrawals(budget, 0.0) == 21

    assert withdrawals(budget, 9.9) == 0
    assert withdrawals(budget, 10.0) == 1


def test_each_second_is_forgotten_separately() -> None:
    """Calls of the third second count until the thirteenth."""
    budget = RetryBudget(reserve_per_s=0.0)
    for second in range(10):
        for _ in range(10):
            budget.deposit(float(second))

    assert budget.allowed == 20.0
    budget.deposit(12.0)
    assert budget.allowed == pytest.approx((7 * 10 + 1) * 0.2)


def test_a_throttle_stops_retries_at_half_of_its_tokens() -> None:
    """Each failure costs one token (gRFC A6)."""
    throttle = Throttle(max_tokens=10, token_ratio=0.1)
    for _ in range(4):
        throttle.failed()
    assert throttle.allows

    throttle.failed()

    assert not throttle.allows


def test_successes_pay_tokens_back_up_to_the_maximum() -> None:
    """Each success returns `tokenRatio` tokens."""
    throttle = Throttle(max_tokens=10, token_ratio=0.5)
    throttle.succeeded()
    for _ in range(5):
        throttle.failed()
    assert not throttle.allows

    throttle.succeeded()

    assert throttle.allows


def test_tokens_never_fall_below_zero() -> None:
    """After a long outage, the tokens recover from zero."""
    throttle = Throttle(max_tokens=2, token_ratio=1.0)
    for _ in range(100):
        throttle.failed()

    throttle.succeeded()
    throttle.succeeded()

    assert throttle.allows
