"""How many polls of a tailer read the log."""

from services.chassis.log.poll_pace import IDLE_POLLS, QUIET_AFTER_POLLS, QUIET_POLLS, PollPace

POLLS = 20 * IDLE_POLLS


def reads(pace: PollPace, polls: int, *, has_waiters: bool = True, grows: bool = False) -> int:
    """The number of polls that are due; the log grows before each poll, or never."""
    positions = range(1, polls + 1) if grows else [0] * polls
    return sum(pace.is_due(position, has_waiters=has_waiters) for position in positions)


def test_a_log_that_grows_is_read_with_every_poll() -> None:
    """If tasks wait and the log grows, every poll reads it."""
    assert reads(PollPace(), POLLS, grows=True) == POLLS


def test_a_quiet_log_is_read_less_often() -> None:
    """If tasks wait but the log stays quiet, one in QUIET_POLLS polls reads it."""
    pace = PollPace()
    assert reads(pace, QUIET_AFTER_POLLS) == QUIET_AFTER_POLLS
    assert reads(pace, POLLS) == POLLS // QUIET_POLLS


def test_a_quiet_log_that_grows_is_no_longer_quiet() -> None:
    """After a quiet log grows, every poll reads it again."""
    pace = PollPace()
    reads(pace, POLLS)
    assert reads(pace, POLLS, grows=True) == POLLS


def test_a_log_without_waiters_is_read_rarely() -> None:
    """If no task waits, one in IDLE_POLLS polls reads the log, even if it grows."""
    assert reads(PollPace(), POLLS, has_waiters=False, grows=True) == POLLS // IDLE_POLLS
