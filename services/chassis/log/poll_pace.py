"""Decides which polls read the log: fewer while they find nothing, fewer still if no task waits.

A poll finds commits of other processes only. In a busy log, most of them concern nobody here.
"""

# If no task waits, one in so many polls reads the log.
IDLE_POLLS = 40
# If a task waits, but so many polls found nothing for it, one in QUIET_POLLS reads the log.
QUIET_AFTER_POLLS = 40
QUIET_POLLS = 4


class PollPace:
    """Counts the polls of one tailer, and skips some of them."""

    def __init__(self) -> None:
        self._polls = 0
        self._position = -1
        self._grew_at = 0

    def is_due(self, position: int, *, has_waiters: bool) -> bool:
        """Count a poll; return whether to read the log.

        `position` is that of the newest change for which a task waited.
        """
        self._polls += 1
        if position != self._position:
            self._position = position
            self._grew_at = self._polls
        if not has_waiters:
            return self._polls % IDLE_POLLS == 0
        is_quiet = self._polls - self._grew_at >= QUIET_AFTER_POLLS
        return not is_quiet or self._polls % QUIET_POLLS == 0
