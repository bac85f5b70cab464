"""After each failure: how long to wait, or that there is no other attempt."""

import random

import grpc
import pytest
from grpc import StatusCode

from discovery.errors import NoInstanceError
from discovery.rules import attempt_number
from discovery.rules.method_latency import Latencies
from discovery.rules.retry_budget import RetryBudget, Throttle
from discovery.rules.retry_decision import CallRetries
from discovery.rules.retry_policy import RetryPolicy


def failed(
    code: StatusCode = StatusCode.UNAVAILABLE, *, pushback: str | None = None
) -> grpc.aio.AioRpcError:
    """A failure, with or without a pushback in its trailers."""
    trailing = grpc.aio.Metadata()
    if pushback is not None:
        trailing.add("grpc-retry-pushback-ms", pushback)
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing)


def retries(
    policy: RetryPolicy | None = None,
    *,
    safe: bool = True,
    budget: RetryBudget | None = None,
    latencies: Latencies | None = None,
    throttle: Throttle | None = None,
) -> CallRetries:
    """The retries of one call."""
    return CallRetries(
        policy or RetryPolicy(),
        safe=safe,
        budget=budget or RetryBudget(),
        rng=random.Random(1),
        latencies=latencies,
        throttle=throttle,
    )


def delay_s(
    of: CallRetries, error: grpc.aio.AioRpcError | None = None, *, deadline_s: float | None = None
) -> float | None:
    """The delay that the retries answer a failure with at the instant 0."""
    return of.delay_s(error or failed(), now_s=0.0, deadline_s=deadline_s)


def test_three_attempts_with_growing_delays() -> None:
    """The delays are 50 ms and 100 ms, each x U(0.8, 1.2); there is no fourth attempt."""
    of = retries()

    first, second, third = delay_s(of), delay_s(of), delay_s(of)

    assert first is not None
    assert 0.040 <= first <= 0.060
    assert second is not None
    assert 0.080 <= second <= 0.120
    assert third is None


def test_delays_are_spread() -> None:
    """Jitter of a fifth either way spreads clients that failed together."""
    delays = [
        CallRetries(
            RetryPolicy(), safe=True, budget=RetryBudget(), rng=random.Random(seed)
        ).delay_s(failed(), now_s=0.0, deadline_s=None)
        for seed in range(100)
    ]

    known = [one for one in delays if one is not None]
    assert 0.040 <= min(known) < 0.042
    assert 0.058 < max(known) <= 0.060


def test_pushback_is_exact_and_starts_the_backoff_over() -> None:
    """Pushback is used without jitter; the next delay is 50 ms again, not 100."""
    of = retries(RetryPolicy(max_attempts=5))
    delay_s(of)

    assert delay_s(of, failed(pushback="1234")) == 1.234
    after = delay_s(of)
    assert after is not None
    assert after <= 0.060


def test_pushback_does_not_add_attempts() -> None:
    """Pushback doesn't raise the limit of three attempts."""
    of = retries()

    assert [delay_s(of, failed(pushback="0")) for _ in range(3)] == [0.0, 0.0, None]


def test_an_attempt_that_could_only_start_after_the_deadline_is_not_made() -> None:
    """If the delay ends after the deadline, the error is raised at once."""
    assert delay_s(retries(), deadline_s=0.030) is None
    assert delay_s(retries(), deadline_s=0.100) is not None


def test_an_attempt_that_usually_takes_longer_than_what_remains_is_not_made() -> None:
    """If less time would be left than the p50 (0.5 s here), the error is raised at once."""
    latencies = Latencies()
    for _ in range(20):
        latencies.add(0.5, 0.0)

    assert delay_s(retries(latencies=latencies), deadline_s=0.5) is None
    assert delay_s(retries(latencies=latencies), deadline_s=0.6) is not None


def test_the_median_says_what_an_attempt_usually_takes() -> None:
    """A few slow answers don't prevent retries."""
    latencies = Latencies()
    for number in range(20):
        latencies.add(2.0 if number % 3 == 0 else 0.1, 0.0)

    assert delay_s(retries(latencies=latencies), deadline_s=0.5) is not None


def test_the_budget_is_shared_and_ends() -> None:
    """A retry of one call may use up the budget for another."""
    budget = RetryBudget(reserve_per_s=0.1)

    assert delay_s(retries(budget=budget)) is not None
    assert delay_s(retries(budget=budget)) is None


def test_a_failure_without_retry_costs_no_budget() -> None:
    """Only attempts that are made cost budget."""
    budget = RetryBudget(reserve_per_s=0.1)

    assert delay_s(retries(budget=budget, safe=False)) is None
    assert delay_s(retries(budget=budget), failed(StatusCode.NOT_FOUND)) is None
    assert delay_s(retries(budget=budget), deadline_s=0.0) is None
    assert delay_s(retries(budget=budget)) is not None


def test_only_the_nearest_layer_retries() -> None:
    """A server that answers a retry makes one attempt of each of its own calls."""
    with attempt_number.bind(1):
        assert delay_s(retries()) is None
    assert delay_s(retries()) is not None


def test_a_throttle_is_charged_for_retriable_failures_and_forbidden_retries() -> None:
    """NOT_FOUND costs nothing; UNAVAILABLE and a negative pushback cost one token (gRFC A6)."""
    throttle = Throttle(max_tokens=4, token_ratio=0.1)

    delay_s(retries(throttle=throttle), failed(StatusCode.NOT_FOUND))
    assert delay_s(retries(throttle=throttle)) is not None
    assert throttle.allows
    assert delay_s(retries(throttle=throttle), failed(pushback="-1")) is None

    assert not throttle.allows
    throttle.succeeded()
    assert delay_s(retries(throttle=throttle)) is None


@pytest.mark.parametrize("most", [1, 2, 5])
def test_the_policy_says_how_many_attempts_there_are(most: int) -> None:
    """The first attempt counts too."""
    of = retries(RetryPolicy(max_attempts=most))

    made = 1
    while delay_s(of) is not None:
        made += 1

    assert made == most


def test_the_throttle_counts_the_failure_of_the_last_attempt() -> None:
    """As in C-core, a failure costs a token whether or not an attempt is left (gRFC A6)."""
    throttle = Throttle(max_tokens=8, token_ratio=0.1)
    of = retries(RetryPolicy(max_attempts=2), throttle=throttle)

    delays = [delay_s(of), delay_s(of)]
    assert [delay is None for delay in delays] == [False, True]
    assert throttle.allows
    for _ in range(2):
        delay_s(of)

    assert not throttle.allows


def test_the_throttle_counts_calls_that_answer_a_retry() -> None:
    """A failure costs a token where only the layer above retries, too."""
    throttle = Throttle(max_tokens=2, token_ratio=0.1)

    with attempt_number.bind(1):
        assert delay_s(retries(throttle=throttle)) is None

    assert not throttle.allows


def test_the_call_ends_with_the_error_of_an_attempt_that_was_sent() -> None:
    """An error that says that nothing was sent would be wrong after an attempt that was."""
    sent, unsent = failed(), NoInstanceError("no other instance")
    of = retries()

    assert of.final(unsent) is unsent
    delay_s(of, unsent)
    assert of.final(unsent) is unsent
    delay_s(of, sent)
    delay_s(of, unsent)
    assert of.final(unsent) is sent
