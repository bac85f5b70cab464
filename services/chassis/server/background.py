"""Runs background tasks in addition to the calls, and cancels them when a block ends.

They are what a service does by itself, so the service is the caller of all their work.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from services.chassis.identity import caller
from services.chassis.identity.caller import Caller

Start: TypeAlias = Callable[[Callable[[], Awaitable[None]]], None]


@asynccontextmanager
async def tasks(service: Caller) -> AsyncIterator[Start]:
    """Yield a function that starts a task; all tasks are cancelled and awaited when the block ends.

    `service` is the caller that is bound in each of them.

    A task that fails ends the block, because the server needs each of them. An error of the block
    itself is raised as it is, not in an exception group.
    """
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        running: list[asyncio.Task[None]] = []

        def start(work: Callable[[], Awaitable[None]]) -> None:
            running.append(
                group.create_task(_run(work, service), name=getattr(work, "__qualname__", ""))
            )

        try:
            yield start
        except Exception as error:  # noqa: BLE001 - raised again below, outside the group
            failure = error
        for task in running:
            task.cancel()
    if failure is not None:
        raise failure


async def _run(work: Callable[[], Awaitable[None]], service: Caller) -> None:
    caller.bind(service)
    await work()
