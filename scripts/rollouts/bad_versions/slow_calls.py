"""An order service for which callers wait twice as long, at least."""

from typing import Any

import grpc

from discovery.clock import Clock


def slow(inner: Any, usual_s: float, clock: Clock) -> Any:
    """Wrap a handler's function: it waits once more as long as the answer took.

    For most calls that is little, as callers wait for the network and for a busy machine. So it
    waits at least as long as callers usually do, `usual_s`.
    """

    async def call(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        began_s = clock.monotonic()
        answer = await inner(request, context)
        await clock.sleep(max(usual_s, clock.monotonic() - began_s))
        return answer

    return call
