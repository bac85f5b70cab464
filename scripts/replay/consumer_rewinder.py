"""Puts every consumer of every service back to the beginning of its feed, as an operator would.

Everything is delivered to them again, and nothing may happen again: no stock moves, no money, no
read model counts anything twice, nobody is told twice.
"""

import random
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import fields
from uuid import UUID

import grpc
from tradepost.event.v1.event_pb2 import Subscription
from tradepost.event.v1.event_service_pb2 import ListSubscriptionsRequest, RewindSubscriptionRequest
from tradepost.event.v1.event_service_pb2_grpc import SubscriptionServiceAsyncStub

from discovery.clock import Clock
from scripts.replay.books import Equation
from scripts.replay.observations import Observations
from scripts.replay.snapshot import Snapshot

POLL_S = 0.1


class ConsumerRewinder:
    """Rewinds the consumers of the services in `consumers`, and knows how far they had come."""

    def __init__(
        self,
        consumers: Mapping[str, SubscriptionServiceAsyncStub],
        *,
        observations: Observations,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._consumers = consumers
        self._tally = observations
        self._clock = clock
        self._rng = rng
        # By service and consumer, the furthest that each stood when it was put back.
        self._stood: dict[tuple[str, str], int] = {}

    async def rewind(self) -> int:
        """Put all back to zero, wherever they stand; how many they are."""
        number = 0
        async for service, subscription in self._subscriptions():
            request = RewindSubscriptionRequest(
                request_id=str(UUID(int=self._rng.getrandbits(128), version=4)),
                consumer=subscription.consumer,
            )
            try:
                done = await self._consumers[service].RewindSubscription(request)
            except grpc.aio.AioRpcError as error:
                self._tally.count("RewindSubscription", error.code())
                continue
            key = (service, subscription.consumer)
            self._stood[key] = max(self._stood.get(key, 0), done.rewound_from.position)
            number += 1
        return number

    async def wait_caught_up(self, *, timeout_s: float) -> int:
        """Wait until all are as far again as they have ever been put back.

        How many are not when the time is up.
        """
        give_up_s = self._clock.monotonic() + timeout_s
        while (behind := await self._behind()) and self._clock.monotonic() < give_up_s:
            await self._clock.sleep(POLL_S)
        return behind

    async def _behind(self) -> int:
        reached = {
            (service, each.consumer): each.position async for service, each in self._subscriptions()
        }
        return sum(reached.get(key, 0) < position for key, position in self._stood.items())

    async def _subscriptions(self) -> AsyncIterator[tuple[str, Subscription]]:
        """Every consumer with its service; some services consume nothing."""
        for service, stub in self._consumers.items():
            try:
                listed = await stub.ListSubscriptions(ListSubscriptionsRequest())
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                    self._tally.count("ListSubscriptions", error.code())
                continue
            for subscription in listed.subscriptions:
                yield service, subscription


def changes(before: Snapshot, after: Snapshot, *, behind: int) -> Iterator[Equation]:
    """What is different after a rewind of a suite at rest: nothing, or it is a line that is red.

    `behind` is how many consumers have not come as far again as before.
    """
    yield Equation("consumers that a rewind at rest left behind", behind, 0)
    kept = [each.name for each in fields(Snapshot) if each.name != "mails"]
    changed = sum(getattr(before, name) != getattr(after, name) for name in kept)
    yield Equation("kinds of records that a rewind at rest changed", changed, 0)
    again = sum(before.mails.get(name) != time_ns for name, time_ns in after.mails.items())
    yield Equation("mails that a rewind at rest sent again", again, 0)
