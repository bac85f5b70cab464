"""An order service for which callers wait twice as long, at least."""

import asyncio
import os
import time
from typing import Any

import grpc

from scripts.rollouts.bad_versions.wrapped import run_order_service
from scripts.rollouts.calling.usual_latency import USUAL_LATENCY_S


def slow(inner: Any, usual_s: float) -> Any:
    """Wrap a handler's function: it waits once more as long as the answer took.

    For most calls that is little, as callers wait for the network and for a busy machine. So it
    waits at least as long as callers usually do, `usual_s`.
    """

    async def call(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        began_s = time.monotonic()
        answer = await inner(request, context)
        await asyncio.sleep(max(usual_s, time.monotonic() - began_s))
        return answer

    return call


if __name__ == "__main__":
    usual_s = float(os.environ[USUAL_LATENCY_S])
    run_order_service(lambda inner: slow(inner, usual_s))
