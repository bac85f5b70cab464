"""Reads time, for the whole package: no other module does.

Everything that waits, expires or measures takes a `Clock`, so that a test or a simulation can
control time.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for records, monotonic time for durations, and a sleep."""

    def now(self) -> datetime:
        """The current instant, timezone aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes backwards; only differences have a meaning."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Return after `delay_s` seconds; at once if it is zero or negative."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    # Read several times for each call, so this is time.monotonic itself without a wrapper.
    monotonic = staticmethod(time.monotonic)

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
