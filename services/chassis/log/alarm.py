"""Ends waits at their time limits, with one task for all of them.

Most waits end long before their limit, and a task for each cost more than the wait itself.
"""

import asyncio
import math
from contextvars import Context
from heapq import heapify, heappop, heappush
from itertools import count

from discovery.clock import Clock

# Limits of so many ended waits are kept, and as many as there are waits. Callers may set limits of
# hours.
ENDED_MAX = 1000


class Alarm:
    """The time limits of the waits of one event loop. It sleeps only while something waits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Instants with the futures to resolve; the number keeps two of one instant in order.
        self._limits: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._waiting = 0
        self._next_s = math.inf
        self._sleeping: asyncio.Task[None] | None = None

    async def wait(self, woken: asyncio.Future[None], timeout_s: float) -> None:
        """Wait until `woken` is resolved; resolve it after `timeout_s` seconds."""
        limit_s = self._clock.monotonic() + timeout_s
        heappush(self._limits, (limit_s, next(self._numbers), woken))
        self._waiting += 1
        if len(self._limits) > 2 * self._waiting + ENDED_MAX:
            self._limits = [limit for limit in self._limits if not limit[-1].done()]
            heapify(self._limits)
        if limit_s < self._next_s:
            self._stop()
            self._next_s = limit_s
            # In an empty context, because it belongs to no single caller.
            run = asyncio.get_running_loop().create_task(self._run(), context=Context())
            self._sleeping = run
        try:
            await woken
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._stop()
                self._limits.clear()

    async def _run(self) -> None:
        while self._limits:
            if self._limits[0][-1].done():
                heappop(self._limits)
                continue
            self._next_s = self._limits[0][0]
            await self._clock.sleep(self._next_s - self._clock.monotonic())
            while self._limits and self._limits[0][0] <= self._next_s:
                resolve(heappop(self._limits)[-1])
        self._next_s = math.inf

    def _stop(self) -> None:
        if self._sleeping is not None:
            self._sleeping.cancel()
            self._sleeping = None
        self._next_s = math.inf


def resolve(woken: asyncio.Future[None]) -> None:
    """End the wait for a future, if it has not ended."""
    if not woken.done():
        woken.set_result(None)
