"""A clock that runs like the system's, some time ahead of it."""

from datetime import datetime, timedelta

from discovery.clock import SystemClock


class ShiftedClock(SystemClock):
    """Implements discovery.clock.Clock; `ahead` is how far its wall clock is ahead."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead
