"""Calls gRPC services from Python with a resolver, a balancer and retries that are safe.

async with discovery.open_channel("consul:///order") as channel:
order = await OrderServiceStub(channel).GetOrder(GetOrderRequest(order_id=...))
"""

from discovery.channel import Channel
from discovery.errors import (
    InvalidMetadataError,
    InvalidServiceConfigError,
    InvalidTargetError,
    LocalRefusalError,
    NoInstanceError,
)
from discovery.open_channel import open_channel

__all__ = [
    "Channel",
    "InvalidMetadataError",
    "InvalidServiceConfigError",
    "InvalidTargetError",
    "LocalRefusalError",
    "NoInstanceError",
    "open_channel",
]
