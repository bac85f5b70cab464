"""The protocol of a peer's process: it reads an order's id from a line, and prints it when the saga
ends.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable

READY = "ready"


async def serve(saga: Callable[[str], Awaitable[object]]) -> None:
    """Print READY, run a saga for each line, all concurrently, and end with the input."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(READY, flush=True)

    async def answer(order_id: str) -> None:
        await saga(order_id)
        print(order_id, flush=True)

    async with asyncio.TaskGroup() as group:
        while line := await reader.readline():
            group.create_task(answer(line.decode().strip()))
