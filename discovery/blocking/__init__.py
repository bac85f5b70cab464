"""The blocking driver: a `grpc.Channel` to all instances, for synchronous programs.

    with discovery.blocking.open_channel("consul:///order") as channel:
        order = OrderServiceStub(channel).GetOrder(GetOrderRequest(order_id=...))

May import everything below the drivers, never `aio`, which has the same file names for the same
roles. Hands out `open_channel`, to Django, Celery, scripts and the like.

It follows the same rules as the asyncio driver, by the same functions and values: deadline,
safety, retries, hedges and their budget, balancing, ejection, breakers, bulkhead, health, spans and
metrics. `explain()` reports the same. A table in `discovery.blocking.layers.stack` lists which rule
applies to which kind of call. A channel is thread-safe. It starts no thread and opens no connection
before its first call, so it may be made at import time, before any fork.

A channel that was used before the fork starts afresh in the child process, if gRPC itself survives
the fork: GRPC_ENABLE_FORK_SUPPORT=1 must be in the environment when the program starts, and no
other thread may be in a call at the moment of the fork. Without the variable, calls in the child
raise ForkUnsupportedError; gRPC itself would sometimes hang.

A program written for `grpc.insecure_channel` behaves the same, except for the differences listed in
`discovery` and these:

- A stream waits for its instance where it is made, not where it is read.
- A stream of responses is attempted again only while the caller reads it.
- The callbacks of a `future()` run in a thread of the channel and not of a connection. There, too,
  one that blocks holds up the channel's other futures.
- A cancelled `future()` of a unary method has an empty `debug_error_string()`, for which grpc waits
  for ever.

Each instance costs one thread, which watches its health. A channel has one for its look-ups, and,
once they are used, one for all futures and time limits of streams and one for subscribers.
"""

from discovery.blocking.channel import BlockingChannel
from discovery.blocking.errors import ForkUnsupportedError
from discovery.blocking.open import open_channel

__all__ = ["BlockingChannel", "ForkUnsupportedError", "open_channel"]
