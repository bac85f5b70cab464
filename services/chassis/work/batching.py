"""Work that costs little more for many than for one, done for whoever comes together."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

T = TypeVar("T")


class Batcher(Generic[T]):
    """Has `work` done for at most `most` items at a time, one time after the other.

    Whoever joins while it is being done shares the next time; nobody waits for others to come.
    `work` answers for each item, in order: None, or what its caller is to be raised. It runs in
    an empty context, for it belongs to no caller's story.
    """

    def __init__(
        self, work: Callable[[Sequence[T]], Awaitable[Sequence[Exception | None]]], *, most: int
    ) -> None:
        self._work = work
        self._most = most
        self._waiting: deque[tuple[T, asyncio.Future[None]]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def join(self, item: T) -> None:
        """Return once the work is done for `item`. Raises what `work` answered, or raised.

        A caller that is cancelled before its turn is skipped; after, the work is done all the same.
        """
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            # It ends by itself, once nobody waits any more.
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
        while self._waiting and len(taken) < self._most:
            item, future = self._waiting.popleft()
            if not future.done():
                taken.append((item, future))
        if not taken:
            return
        try:
            answers = await self._work([item for item, _ in taken])
        except Exception as error:  # noqa: BLE001 - it is everybody's, and is raised there
            answers = [error] * len(taken)
        except BaseException:
            for _, future in taken:
                future.cancel()
            raise
        for (_, future), answer in zip(taken, answers, strict=True):
            if future.done():
                continue
            if answer is None:
                future.set_result(None)
            else:
                future.set_exception(answer)
