"""A method that fails at every instance gets fewer calls, but never none."""

import logging
import random

import pytest

from discovery.rules.breaker import Breaker, BreakerSettings
from discovery.rules.outcome_window import Outcomes


def breaker(*, accepted: int = 0, failed: int = 0) -> tuple[Breaker, Outcomes]:
    """A breaker after some attempts at 100 s; it has just let one call through."""
    outcomes = Outcomes()
    made = Breaker("/a.B/C", outcomes, random.Random(3))
    made.refuses(100.0)
    outcomes.calls.extend([100.0] * accepted)
    for _ in range(failed):
        outcomes.failed(100.0)
    return made, outcomes


def refused(one: Breaker, outcomes: Outcomes, *, now_s: float, of: int = 1000) -> int:
    """How many of the attempts are refused if all others fail."""
    number = 0
    for _ in range(of):
        if one.refuses(now_s):
            number += 1
        else:
            outcomes.failed(now_s)
    return number


@pytest.mark.parametrize(
    ("accepted", "failed", "refuses"), [(0, 19, 0), (0, 20, 1), (10, 10, 0), (50, 50, 0)]
)
def test_it_refuses_only_after_20_attempts_with_more_than_half_failed(
    accepted: int, failed: int, refuses: int
) -> None:
    """K = 2: nothing is refused while half of the attempts are accepted."""
    one, _ = breaker(accepted=accepted, failed=failed)

    assert sum(one.refuses(100.1) for _ in range(4)) >= refuses
    assert one.refusing is bool(refuses)


def test_failures_of_one_instance_refuse_nothing() -> None:
    """When one instance dies, its failed calls don't refuse the retries at the others."""
    outcomes, dead = Outcomes(), object()
    one = Breaker("/a.B/C", outcomes, random.Random(3))
    one.refuses(100.0)
    outcomes.calls.extend([100.0] * 9)
    for _ in range(12):
        outcomes.failed(100.0, dead)
    assert not any(one.refuses(100.1) for _ in range(50))

    outcomes.failed(100.2, object())
    assert any(one.refuses(100.3) for _ in range(50))


def test_where_nothing_is_accepted_one_instance_is_enough() -> None:
    """If nothing is accepted, failures of one instance suffice: it may be the only one."""
    outcomes, only = Outcomes(), object()
    one = Breaker("/a.B/C", outcomes, random.Random(3))
    one.refuses(100.0)
    for _ in range(20):
        outcomes.failed(100.0, only)
    assert any(one.refuses(100.1) for _ in range(50))

    outcomes.forget_old(120.0)
    assert not outcomes.culprits


def test_the_more_fails_the_more_is_refused() -> None:
    """The chance of a refusal is (requests - 2 x accepted) / (requests + 1): a third here."""
    tries = 0
    for seed in range(1000):
        outcomes = Outcomes()
        one = Breaker("/a.B/C", outcomes, random.Random(seed))
        one.refuses(100.0)
        outcomes.calls.extend([100.0] * 100)
        for _ in range(200):
            outcomes.failed(100.0)
        tries += one.refuses(100.1)

    assert 280 < tries < 390


def test_some_always_try() -> None:
    """If nothing is accepted, one call in ten is still sent."""
    one, outcomes = breaker(failed=1000)

    assert 850 < refused(one, outcomes, now_s=100.5) < 950


def test_one_a_second_tries_however_few_there_are() -> None:
    """One call a second is sent, so that a rarely called service recovers soon."""
    one, _ = breaker(failed=1000)

    assert not one.refuses(101.0)
    assert not one.refuses(102.0)
    assert sum(one.refuses(102.5) for _ in range(20)) > 10


def test_a_refused_call_counts_as_a_request() -> None:
    """Without that, the refused share would never reach the formula's value."""
    one, _ = breaker(failed=100)

    while not one.refuses(100.1):
        pass

    assert one.counts(100.1) == (101, 0)


def test_10_s_later_all_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    """After 10 s without failures nothing is refused; each change is logged in one line."""
    caplog.set_level(logging.INFO, "discovery.rules.breaker")
    one, outcomes = breaker(failed=100)
    refused(one, outcomes, now_s=100.1)

    assert not any(one.refuses(110.2) for _ in range(20))
    assert caplog.messages == [
        "/a.B/C: the breaker refuses calls: 0 of 100 attempts accepted in 10 s",
        "/a.B/C: the breaker lets everything through again: 0 of 0 attempts accepted in 10 s",
    ]


def test_a_success_ends_all_refusals_within_a_second() -> None:
    """After an outage the first success lets more and more through, and after 1 s everything."""
    one, outcomes = breaker(failed=1000)
    outcomes.calls.append(100.5)

    shares = [
        sum(one.refuses(now_s) for _ in range(1000)) / 1000
        for now_s in (100.6, 100.9, 101.2, 101.5, 105.0)
    ]

    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.8
    assert 0 < shares[2] < 0.5
    assert shares[3:] == [0.0, 0.0]


def test_a_failure_after_the_success_refuses_again() -> None:
    """A service that answers only now and then is still spared."""
    one, outcomes = breaker(failed=1000)
    outcomes.calls.append(100.5)
    assert not all(one.refuses(100.9) for _ in range(100))

    outcomes.failed(101.0, began_s=100.9)

    assert sum(one.refuses(101.6) for _ in range(1000)) > 800


def test_a_failure_that_began_in_the_outage_does_not_delay_the_recovery() -> None:
    """A call that was sent before the first success may time out long after it."""
    one, outcomes = breaker(failed=1000)
    outcomes.calls.append(100.5)
    assert not all(one.refuses(100.9) for _ in range(100))

    outcomes.failed(101.5, began_s=99.0)

    assert not any(one.refuses(101.6) for _ in range(1000))


def test_an_outage_is_forgotten_after_20_attempts() -> None:
    """A single failure after the recovery doesn't bring the refusals back."""
    one, outcomes = breaker(failed=1000)
    for number in range(20):
        outcomes.calls.append(100.5 + number / 20)
        one.refuses(100.5 + number / 20)
    one.refuses(101.6)

    outcomes.failed(101.7)

    assert not any(one.refuses(101.8) for _ in range(1000))
    assert one.counts(101.8) == (1, 0)


def test_the_numbers_can_be_set() -> None:
    """The settings are those of a service config."""
    outcomes = Outcomes()
    settings = BreakerSettings(k=1.0, least_calls=2, most_refused=1.0, probe_every_s=60.0)
    one = Breaker("/a.B/C", outcomes, random.Random(3), settings)
    one.refuses(100.0)
    for _ in range(100):
        outcomes.failed(100.0)

    assert sum(one.refuses(101.5) for _ in range(100)) > 95
