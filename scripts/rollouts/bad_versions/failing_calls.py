"""An order service that fails 5 % of its calls."""

import random
from typing import Any

import grpc

SHARE = 0.05


def failing(inner: Any, rng: random.Random) -> Any:
    """Wrap a handler's function: it ends one of 20 calls with INTERNAL, before any effect."""

    async def call(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        if rng.random() < SHARE:
            await context.abort(grpc.StatusCode.INTERNAL, "this version fails 5 % of its calls")
        return await inner(request, context)

    return call
