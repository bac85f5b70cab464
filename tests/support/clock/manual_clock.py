"""A clock whose time advances only when a test advances it."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

from tests.support.limits import WAIT_S

# Turns of the event loop that woken tasks get before time advances. They are enough for a task to
# pass queues and locks up to its next wait; a task that does real I/O needs a real wait.
_TURNS = 50


class ManualClock:
    """Implements discovery.clock.Clock; sleepers wake in the order of their due times."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._changed = asyncio.Condition()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        return self._elapsed_s

    @property
    def sleeping(self) -> int:
        """How many tasks sleep."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    @property
    def next_wake_s(self) -> float | None:
        """Seconds until the first sleeper wakes; None if no task sleeps."""
        waits = [due_s for due_s, _, woken in self._sleepers if not woken.done()]
        return min(waits) - self._elapsed_s if waits else None

    async def sleep(self, delay_s: float) -> None:
        if delay_s <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed_s + delay_s, next(self._order), woken))
        async with self._changed:
            self._changed.notify_all()
        await woken

    async def advance(self, delay_s: float) -> None:
        """Advance time; each sleeper that becomes due wakes at its own instant and runs on."""
        await self.settle()
        until_s = self._elapsed_s + delay_s
        while self._sleepers and self._sleepers[0][0] <= until_s:
            due_s, _, woken = heapq.heappop(self._sleepers)
            if woken.done():
                continue
            self._elapsed_s = max(self._elapsed_s, due_s)
            woken.set_result(None)
            await self.settle()
        self._elapsed_s = until_s

    async def settle(self) -> None:
        """Let each task that needs neither time nor I/O run up to its next wait."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    async def wait_for_sleepers(self, number: int = 1) -> None:
        """Return once at least `number` tasks sleep (for tasks that do real I/O first)."""
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(lambda: self.sleeping >= number)
