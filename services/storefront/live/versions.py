"""Every version of an order once and in order, whatever happens to the instances that tell them."""

import random
from collections.abc import AsyncGenerator, Callable
from typing import TypeAlias

import grpc
from tradepost.order.v1 import order_service_pb2 as rpc

from discovery.clock import Clock
from discovery.rules.backoff import jittered

WatchCall: TypeAlias = grpc.aio.UnaryStreamCall[rpc.WatchOrderRequest, rpc.WatchOrderResponse]
# Watches the versions after the given one, until the order is final.
Watch: TypeAlias = Callable[[int], WatchCall]

FIRST_DELAY_S = 0.05
MAX_DELAY_S = 2.0

# Answers that every other instance would give, too.
_DEFINITE = frozenset(
    {
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)


async def versions(
    watch: Watch, *, after_version: int, patience_s: float, clock: Clock, rng: random.Random
) -> AsyncGenerator[rpc.WatchOrderResponse, None]:
    """Yield each version after a known one, until the order is final.

    When a watch breaks off, the next one goes on after the last version. Raises AioRpcError for an
    answer that every instance would give, and when watches have broken off for `patience_s`.
    """
    known = after_version
    broken_since_s: float | None = None
    delays = jittered(FIRST_DELAY_S, MAX_DELAY_S, rng)
    while True:
        call, began_s = watch(known), clock.monotonic()
        try:
            async for message in call:
                broken_since_s = None
                if message.version > known:
                    known = message.version
                    yield message
            return
        except grpc.aio.AioRpcError as error:
            now_s = clock.monotonic()
            # A quiet order tells nothing for hours, so a watch that lasted was a good one.
            if broken_since_s is None or now_s - began_s >= patience_s:
                delays, broken_since_s = jittered(FIRST_DELAY_S, MAX_DELAY_S, rng), now_s
            if error.code() in _DEFINITE or now_s - broken_since_s >= patience_s:
                raise
        finally:
            call.cancel()
        await clock.sleep(next(delays))
