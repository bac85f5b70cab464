"""Asks the services that follow a feed how far their consumers have come.

A consumer keeps its position in its own database, in the transaction of what it applied. Only that
position proves that it doesn't need an event any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1.event_pb2 import Subscription
from tradepost.event.v1.event_service_pb2_grpc import (
    SubscriptionServiceAsyncStub,
    SubscriptionServiceStub,
)

# Each service asks its feeds first, for a second at most.
TIMEOUT_S = 5.0


class ConsumersUnknownError(Exception):
    """A service did not say how far its consumers are, so every event may still be needed."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The position that all consumers have reached; `by` is the slowest, "" if there is none."""

    position: int
    by: str = ""


class SlowestConsumer:
    """Asks for the consumers of one feed at the services behind some channels."""

    def __init__(self, feed: str, channels: Sequence[grpc.aio.Channel]) -> None:
        self._feed = feed
        self._stubs = [SubscriptionServiceStub(channel) for channel in channels]

    async def confirmed(self, *, epoch: str, head: int) -> Confirmed:
        """How far all consumers are; the head if there is none. Raises ConsumersUnknownError.

        A consumer that is still in another epoch has everything before it.
        """
        slowest = Confirmed(head)
        for stub in self._stubs:
            for each in await self._consumers(stub):
                position = each.position if each.epoch == epoch else 0
                if position < slowest.position:
                    slowest = Confirmed(position, each.consumer)
        return slowest

    async def _consumers(self, stub: SubscriptionServiceAsyncStub) -> list[Subscription]:
        """The consumers of the feed at one service."""
        try:
            listed = await stub.ListSubscriptions(pb.ListSubscriptionsRequest(), timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return []
            raise ConsumersUnknownError(f"{error.code().name}: {error.details()}") from error
        if unknown := [each.consumer for each in listed.subscriptions if not each.feed]:
            raise ConsumersUnknownError(f"which feeds these follow: {', '.join(unknown)}")
        return [each for each in listed.subscriptions if each.feed == self._feed]
