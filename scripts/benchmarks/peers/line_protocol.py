"""How a peer is driven: a line with an order's id comes in, and goes out when its saga is done."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

READY = "ready"


async def serve(saga: Callable[[str], Awaitable[object]]) -> None:
    """Say READY, run a saga for each line, all at once, and end with the input."""
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
