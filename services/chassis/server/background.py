"""Runs background tasks in addition to the calls, and cancels them when a block ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

Start: TypeAlias = Callable[[Callable[[], Awaitable[None]]], None]


@asynccontextmanager
async def tasks() -> AsyncIterator[Start]:
    """Yield a function that starts a task; all tasks are cancelled and awaited when the block ends.

    A task that fails ends the block, because the server needs each of them. An error of the block
    itself is raised as it is, not in an exception group.
    """
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        running: list[asyncio.Task[None]] = []

        def start(work: Callable[[], Awaitable[None]]) -> None:
            running.append(group.create_task(_run(work), name=getattr(work, "__qualname__", "")))

        try:
            yield start
        except Exception as error:  # noqa: BLE001 - raised again below, outside the group
            failure = error
        for task in running:
            task.cancel()
    if failure is not None:
        raise failure


async def _run(work: Callable[[], Awaitable[None]]) -> None:
    await work()
