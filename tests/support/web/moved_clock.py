"""A clock that runs like the machine's, and that a test can put forward."""

from datetime import datetime, timedelta

from discovery.clock import SystemClock


class MovedClock(SystemClock):
    """Says that it is `moved_s` seconds later than it is; durations and sleeps are real."""

    def __init__(self) -> None:
        self.moved_s = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.moved_s)
