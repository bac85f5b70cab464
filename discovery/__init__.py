"""Calls gRPC services from Python with a resolver, a balancer and retries that are safe.

    async with discovery.aio.open("consul:///order") as channel:
        order = await OrderServiceStub(channel).GetOrder(GetOrderRequest(order_id=...))

A program written against `grpc.aio.insecure_channel` behaves the same against this channel, save:

- A unary call without a timeout has one of 10 s, and no call outlives what the handler it is made
  in has left (`discovery.rules.deadline`).
- A method whose contract calls it safe (`idempotency_level`) is attempted again when an instance
  fails (`discovery.aio.layers.retry`); so is every call that found no instance and was not sent.
  One that nobody awaits or asks about isn't.
- A request that can't be serialized and metadata that can't be sent raise where the call is made;
  a response that can't be deserialized is INTERNAL.
- What is refused before it is sent (nothing to pick, no time left) has the code that grpc.aio gives
  it, and details in this package's words.
- A done callback that raises harms neither its call nor the other callbacks.
- The text of a call that is over names code and details each in its place.
- An interceptor serves every kind of call it has an interface for, not only the first.
- A bare response or iterator returned by an interceptor comes with a complete status.
"""

from discovery.aio.channel import Channel
from discovery.aio.open import open_channel
from discovery.error_info import ErrorInfo, error_info
from discovery.errors import (
    InvalidMetadataError,
    InvalidServiceConfigError,
    InvalidTargetError,
    LocalRefusalError,
    NoInstanceError,
)

__all__ = [
    "Channel",
    "ErrorInfo",
    "InvalidMetadataError",
    "InvalidServiceConfigError",
    "InvalidTargetError",
    "LocalRefusalError",
    "NoInstanceError",
    "error_info",
    "open_channel",
]
