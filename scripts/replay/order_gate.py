"""Lets visits in by portions, so that every fault disruptions a suite that is busy with orders."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class OrderGate:
    """Counts `visits` in and out; each of the `portions` may enter once it is opened."""

    def __init__(self, *, visits: int, portions: int) -> None:
        self._visits = visits
        self._portions = portions
        self._open = 0
        self._entered = 0
        self._left = 0
        self._changed = asyncio.Condition()

    async def open_portion(self) -> None:
        """Let the next portion in."""
        async with self._changed:
            self._open = min(self._open + 1, self._portions)
            self._changed.notify_all()

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[None]:
        """Wait until one more visit may begin; it ends with the block."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._entered < self._up_to(self._open))
            self._entered += 1
        yield
        async with self._changed:
            self._left += 1
            self._changed.notify_all()

    async def wait_share(self, share: float) -> None:
        """Wait until this share (0 to 1) of the newest portion has left again."""
        number = self._up_to(self._open - 1 + share)
        async with self._changed:
            await self._changed.wait_for(lambda: self._left >= number)

    def _up_to(self, portions: float) -> int:
        return round(self._visits * portions / self._portions)
