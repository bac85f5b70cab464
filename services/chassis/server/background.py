"""Owns the tasks that run beside the calls: starts them, and ends them when the block ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

Start: TypeAlias = Callable[[Callable[[], Awaitable[None]]], None]


@asynccontextmanager
async def tasks() -> AsyncIterator[Start]:
    """Answer a function that starts a task; all are cancelled and awaited when the block ends.

    A task that fails ends the block: what it kept alive would be missing from then on. An error
    of the block itself is raised as it is, not in a group.
    """
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        running: list[asyncio.Task[None]] = []

        def start(work: Callable[[], Awaitable[None]]) -> None:
            running.append(group.create_task(_run(work), name=getattr(work, "__qualname__", "")))

        try:
            yield start
        except Exception as error:  # noqa: BLE001 - raised again below, outside of the group
            failure = error
        for task in running:
            task.cancel()
    if failure is not None:
        raise failure


async def _run(work: Callable[[], Awaitable[None]]) -> None:
    await work()
