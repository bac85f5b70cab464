"""How often a tailer reads the log."""

from services.chassis.log.poll_pace import IDLE_POLLS, QUIET_AFTER_POLLS, QUIET_POLLS, PollPace

POLLS = 20 * IDLE_POLLS


def reads(pace: PollPace, polls: int, *, has_waiters: bool = True, grows: bool = False) -> int:
    """The number of reads in the time of so many polls; each read finds a change, or none does."""
    number = passed = 0
    while passed < polls:
        number += 1
        passed += pace.next_rest(number * grows, has_waiters=has_waiters)
    return number


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
