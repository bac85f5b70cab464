"""Admits the orders of a replay in portions, so that every fault meets a busy suite."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class OrderGate:
    """Counts `orders` as they begin and end; a portion may begin once it is opened."""

    def __init__(self, *, orders: int, portions: int) -> None:
        self._orders = orders
        self._portions = portions
        self._open = 0
        self._begun = 0
        self._ended = 0
        self._changed = asyncio.Condition()

    async def open_portion(self) -> None:
        """Admit the next portion."""
        async with self._changed:
            self._open = min(self._open + 1, self._portions)
            self._changed.notify_all()

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Wait until one more order may begin; it ends with the block."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._begun < self._up_to(self._open))
            self._begun += 1
        yield
        async with self._changed:
            self._ended += 1
            self._changed.notify_all()

    async def wait_share(self, share: float) -> None:
        """Wait until this share (0 to 1) of the newest portion has ended."""
        number = self._up_to(self._open - 1 + share)
        async with self._changed:
            await self._changed.wait_for(lambda: self._ended >= number)

    def _up_to(self, portions: float) -> int:
        return round(self._orders * portions / self._portions)
