"""How many polls of a tailer read the log."""

from services.chassis.log.poll_pace import IDLE_POLLS, QUIET_AFTER_POLLS, QUIET_POLLS, PollPace

POLLS = 20 * IDLE_POLLS


def looks(pace: PollPace, polls: int, *, has_waiters: bool = True, grows: bool = False) -> int:
    """How many of so many polls are due, of a log that grows before each, or never."""
    positions = range(1, polls + 1) if grows else [0] * polls
    return sum(pace.is_due(position, has_waiters=has_waiters) for position in positions)


def test_a_log_that_grows_is_looked_at_with_every_poll() -> None:
    """Whoever waits is told as soon as there can be something."""
    assert looks(PollPace(), POLLS, grows=True) == POLLS


def test_a_quiet_log_is_looked_at_less_often() -> None:
    """Somebody waits always, because services follow each other; most of the time for nothing."""
    pace = PollPace()
    assert looks(pace, QUIET_AFTER_POLLS) == QUIET_AFTER_POLLS
    assert looks(pace, POLLS) == POLLS // QUIET_POLLS


def test_a_quiet_log_that_grows_is_quiet_no_more() -> None:
    """One event, and the next ones are found as fast as ever."""
    pace = PollPace()
    looks(pace, POLLS)
    assert looks(pace, POLLS, grows=True) == POLLS


def test_where_nobody_waits_a_look_is_rare() -> None:
    """However fast the log grows."""
    assert looks(PollPace(), POLLS, has_waiters=False, grows=True) == POLLS // IDLE_POLLS
