"""When a poll is worth a look: the less there is to find, and the fewer who wait, the rarer."""

# While nobody waits, one poll in so many looks.
IDLE_POLLS = 40
# Where somebody does, but the log hasn't grown for so many polls, one in a few looks.
QUIET_AFTER_POLLS = 40
QUIET_POLLS = 4


class PollPace:
    """Counts the polls of one tailer."""

    def __init__(self) -> None:
        self._polls = 0
        self._position = -1
        self._grew_at = 0

    def is_due(self, position: int, *, waited_for: bool) -> bool:
        """Count a poll of a log that was followed up to `position`: whether it should look."""
        self._polls += 1
        if position != self._position:
            self._position = position
            self._grew_at = self._polls
        if not waited_for:
            return self._polls % IDLE_POLLS == 0
        is_quiet = self._polls - self._grew_at >= QUIET_AFTER_POLLS
        return not is_quiet or self._polls % QUIET_POLLS == 0
