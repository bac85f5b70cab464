"""Runs work in batches, where a batch costs little more than a single item."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

T = TypeVar("T")


class Batcher(Generic[T]):
    """Calls `work` with batches of at most `max_items` items, one batch after another.

    Items that arrive during a batch form the next one; no item waits for further items. `work`
    returns one result per item, in order: None, or the exception to raise in its caller. It runs
    in an empty context, because a batch belongs to no single caller's trace.
    """

    def __init__(
        self,
        work: Callable[[Sequence[T]], Awaitable[Sequence[Exception | None]]],
        *,
        max_items: int,
    ) -> None:
        self._work = work
        self._max_items = max_items
        self._waiting: deque[tuple[T, asyncio.Future[None]]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def join(self, item: T) -> None:
        """Return once the work is done for `item`. Raises the exception that `work` gave for it.

        An item whose caller is cancelled before its batch starts is skipped; later, the work is
        done regardless.
        """
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            # This task ends when no item waits any more.
            self._running = asyncio.get_running_loop().create_task(self._run(), context=Context())
        await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._do_once()
        finally:
            self._running = None
            for _, future in self._waiting:
                future.cancel()
            self._waiting.clear()

    async def _do_once(self) -> None:
        taken: list[tuple[T, asyncio.Future[None]]] = []
        while self._waiting and len(taken) < self._max_items:
            item, future = self._waiting.popleft()
            if not future.done():
                taken.append((item, future))
        if not taken:
            return
        try:
            results = await self._work([item for item, _ in taken])
        except Exception as error:  # noqa: BLE001 - it is raised in each caller
            results = [error] * len(taken)
        except BaseException:
            for _, future in taken:
                future.cancel()
            raise
        for (_, future), result in zip(taken, results, strict=True):
            if future.done():
                continue
            if result is None:
                future.set_result(None)
            else:
                future.set_exception(result)
