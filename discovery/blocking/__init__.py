"""The same client for synchronous applications: Django, Celery, scripts.

    with discovery.blocking.open("consul:///order") as channel:
        order = OrderServiceStub(channel).GetOrder(GetOrderRequest(order_id=...))

A second, thin driver of the rules of `discovery`: deadline, safety, retries, hedges and their
budget, balancing, ejection, breakers, bulkhead, health, spans and metrics are the same functions
and values, and `explain()` says the same of them. Which rule applies to which kind of call is a
table in `discovery.blocking.layers.stack`. It is thread-safe, and opens no thread
and no connection before the first call, so a channel may be made at import time, before any fork.

One that was used before the fork starts afresh in the child, as far as gRPC itself survives a fork:
GRPC_ENABLE_FORK_SUPPORT=1 has to be in the environment when the program starts, and no other thread
may be in the middle of a call at that moment. Without the variable the child gets a
ForkUnsupportedError, where gRPC would hang now and then.

A program written against `grpc.insecure_channel` behaves the same, save the differences that are
listed in `discovery` and these:

- A stream waits for its instance where it is made, not where it is read.
- A stream of responses that nobody reads isn't repeated; reading drives it.
- `future()` runs in a thread of its own, since it may have to wait and try again.

Each instance costs a thread that watches its health.
"""

from discovery.blocking.channel import BlockingChannel
from discovery.blocking.errors import ForkUnsupportedError
from discovery.blocking.open import open_channel

__all__ = ["BlockingChannel", "ForkUnsupportedError", "open_channel"]
