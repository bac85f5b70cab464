"""Decides which polls read the log: fewer while the log is quiet, fewer still if no task waits."""

# If no task waits, one in so many polls reads the log.
IDLE_POLLS = 40
# If a task waits, but the log has not grown for so many polls, one in QUIET_POLLS reads it.
QUIET_AFTER_POLLS = 40
QUIET_POLLS = 4


class PollPace:
    """Counts the polls of one tailer, and skips some of them."""

    def __init__(self) -> None:
        self._polls = 0
        self._position = -1
        self._grew_at = 0

    def is_due(self, position: int, *, has_waiters: bool) -> bool:
        """Count a poll; return whether to read the log, which has been read up to `position`."""
        self._polls += 1
        if position != self._position:
            self._position = position
            self._grew_at = self._polls
        if not has_waiters:
            return self._polls % IDLE_POLLS == 0
        is_quiet = self._polls - self._grew_at >= QUIET_AFTER_POLLS
        return not is_quiet or self._polls % QUIET_POLLS == 0
