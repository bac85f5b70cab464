"""A batcher works on waiting items together, and returns a result for each."""

import asyncio
from collections.abc import Sequence

import pytest

from services.chassis.work.batching import Batcher


class Worker:
    """Works on batches while `open` is set, and records them."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.begun, self.open = asyncio.Event(), asyncio.Event()
        self.open.set()
        self.batcher = Batcher(self._work, max_items=3)

    async def _work(self, items: Sequence[str]) -> list[Exception | None]:
        self.batches.append(list(items))
        self.begun.set()
        await self.open.wait()
        if "fails" in items:
            raise OSError("the batch failed")
        return [ValueError(item) if item.startswith("bad") else None for item in items]

    def join(self, *items: str) -> list[asyncio.Task[None]]:
        """Start a caller for each item."""
        return [asyncio.ensure_future(self.batcher.join(item)) for item in items]


async def results(callers: Sequence[asyncio.Task[None]]) -> list[str]:
    """The results of the callers: empty, or the text of the error."""
    found = await asyncio.gather(*callers, return_exceptions=True)
    return ["" if result is None else str(result) for result in found]


async def test_waiting_items_share_a_batch() -> None:
    """A batch has at most `max_items` items; further ones follow in order."""
    worker = Worker()
    assert await results(worker.join("a", "b", "c", "d")) == ["", "", "", ""]
    assert worker.batches == [["a", "b", "c"], ["d"]]


async def test_each_item_has_its_own_result() -> None:
    """The error of an item is raised in its caller only."""
    assert await results(Worker().join("a", "bad", "c")) == ["", "bad", ""]


async def test_an_exception_fails_its_whole_batch_only() -> None:
    """An exception of `work` is raised in all callers of the batch; the next batch works."""
    worker = Worker()
    assert await results(worker.join("a", "fails")) == ["the batch failed"] * 2
    assert await results(worker.join("b")) == [""]


async def test_an_item_cancelled_before_its_batch_is_skipped() -> None:
    """An item cancelled before its batch is skipped; in a running batch it is finished."""
    worker = Worker()
    worker.open.clear()
    (first,) = worker.join("first")
    await worker.begun.wait()
    waiting = worker.join("gone", "there")
    first.cancel()
    waiting[0].cancel()
    worker.open.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    await waiting[1]
    assert worker.batches == [["first"], ["there"]]
