"""Decides when the log is read next: later while reads find nothing, later still if no task waits.

A poll finds commits of other processes only. In a busy log, most of them concern nobody here.
"""

# Time is counted in polls: after each one the log is read, while reads find what tasks wait for.
# If no task waits, it is read after so many.
IDLE_POLLS = 40
# If a task waits, but so many polls found nothing for it, the log is read after QUIET_POLLS.
QUIET_AFTER_POLLS = 40
QUIET_POLLS = 4


class PollPace:
    """Tells one tailer how long to rest after each read."""

    def __init__(self) -> None:
        self._polls = 0
        self._position = -1
        self._grew_at = 0

    def next_rest(self, position: int, *, has_waiters: bool) -> int:
        """How many polls to rest before the next read.

        `position` is that of the newest change for which a task waited.
        """
        if position != self._position:
            self._position = position
            self._grew_at = self._polls
        if not has_waiters:
            rest = IDLE_POLLS
        elif self._polls - self._grew_at >= QUIET_AFTER_POLLS:
            rest = QUIET_POLLS
        else:
            rest = 1
        self._polls += rest
        return rest
