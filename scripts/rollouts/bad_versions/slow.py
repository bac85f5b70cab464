"""An order service that takes twice as long."""

import asyncio
import time
from typing import Any

import grpc

from scripts.rollouts.bad_versions.wrapped import run_order_service


def slow(inner: Any) -> Any:
    """Wrap a handler's function: it waits once more as long as the answer took."""

    async def call(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        began_s = time.monotonic()
        answer = await inner(request, context)
        await asyncio.sleep(time.monotonic() - began_s)
        return answer

    return call


if __name__ == "__main__":
    run_order_service(slow)
