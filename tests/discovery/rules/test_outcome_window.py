"""The count of attempts and failures of the last 10 s."""

from discovery.rules.outcome_window import MAX_ATTEMPTS, Outcomes


def counts(outcomes: Outcomes, now_s: float) -> tuple[int, int]:
    """Attempts and failures of the window that ends now."""
    outcomes.forget_old(now_s)
    return len(outcomes.calls), len(outcomes.failures)


def test_the_window_is_exact() -> None:
    """An attempt counts for exactly 10 s."""
    outcomes = Outcomes()
    outcomes.failed(1.0)
    outcomes.calls.append(2.0)
    outcomes.failed(3.0)

    seen = [counts(outcomes, now_s) for now_s in (3.0, 11.0, 11.1, 12.1, 13.1)]

    assert seen == [(3, 2), (3, 2), (2, 1), (1, 1), (0, 0)]


def test_above_the_bound_only_the_newest_count() -> None:
    """Failures older than the oldest attempt in the window don't count."""
    outcomes = Outcomes()
    outcomes.failed(1.0)
    for number in range(MAX_ATTEMPTS):
        outcomes.calls.append(2.0 + number / MAX_ATTEMPTS)

    assert counts(outcomes, 3.0) == (MAX_ATTEMPTS, 0)
