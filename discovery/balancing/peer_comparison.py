"""Compares how often an instance succeeds with how often the others do, method by method.

A method that fails on every instance says nothing about one of them, whichever of them is asked for
it most often. So each method is compared with the same method of the others: they say how many of
the instance's attempts should have succeeded. It is worse if fewer than 80 % of those did, of at
least 10 attempts in the last 10 s, and chance doesn't explain it (two standard deviations). An
overload that all share makes nobody worse: with one instance less it would grow.

Where the others were asked for a method too rarely to compare, they are assumed to be there, and to
give the same answers where the application's code fails.
"""

from collections.abc import Iterable
from math import sqrt

from discovery.balancing.instance_stats import InstanceStats
from discovery.balancing.settings import DEFAULT_EJECTION, EjectionSettings
from discovery.rules.failure_codes import APPLICATION_FAULTS
from discovery.rules.method import Method

_DEVIATIONS = 2.0


def worse_than_others(
    record: InstanceStats,
    listed: Iterable[InstanceStats],
    now_s: float,
    settings: EjectionSettings = DEFAULT_EJECTION,
) -> str | None:
    """In words, how much worse the instance is than the others listed; None: it isn't."""
    calls, failures = record.totals(now_s)
    good = calls - failures
    if calls < settings.least_calls or good >= settings.least_success * calls:
        return None
    expected = variance = 0.0
    for method, outcomes in record.outcomes.items():
        attempts = len(outcomes.calls)
        if not attempts:
            continue
        other_calls, other_failures = _of_others(record, method, listed, now_s)
        if other_calls >= min(attempts, settings.least_calls):
            rate = 1.0 - other_failures / other_calls
        else:
            faults = sum(outcomes.culprits[code] for code in APPLICATION_FAULTS)
            rate = 1.0 - faults / attempts
        expected += rate * attempts
        variance += rate * (1.0 - rate) * attempts
    if good >= settings.least_success * expected - _DEVIATIONS * sqrt(variance):
        return None
    return f"{failures} of {calls} calls failed"


def is_answered_elsewhere(
    record: InstanceStats,
    method: Method,
    listed: Iterable[InstanceStats],
    now_s: float,
    settings: EjectionSettings = DEFAULT_EJECTION,
) -> bool:
    """Whether the other instances were asked for the method lately, and usually answered it."""
    calls, failures = _of_others(record, method, listed, now_s)
    return calls > 0 and calls - failures >= settings.least_success * calls


def _of_others(
    record: InstanceStats, method: Method, listed: Iterable[InstanceStats], now_s: float
) -> tuple[int, int]:
    """The attempts of the method at the other instances, and how many of them failed."""
    calls = failures = 0
    for other in listed:
        outcomes = None if other is record else other.outcomes.get(method)
        if outcomes is not None:
            outcomes.forget_old(now_s)
            calls += len(outcomes.calls)
            failures += len(outcomes.failures)
    return calls, failures
