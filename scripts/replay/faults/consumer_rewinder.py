"""Rewinds every consumer of every service to the beginning of its feed, as an operator would.

All events are delivered again, and none may have an effect again: stock and money don't move, read
models count nothing twice, and no mail is sent twice.
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
from scripts.replay.books.equation import Equation
from scripts.replay.books.snapshot import Snapshot
from scripts.replay.observations import Observations

POLL_S = 0.1


class ConsumerRewinder:
    """Rewinds the consumers of the services in `subscriptions`, and knows their old positions."""

    def __init__(
        self,
        subscriptions: Mapping[str, SubscriptionServiceAsyncStub],
        *,
        observations: Observations,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._subscriptions = subscriptions
        self._observations = observations
        self._clock = clock
        self._rng = rng
        # By service and consumer: the highest position from which it was ever rewound.
        self._rewound_from: dict[tuple[str, str], int] = {}

    async def rewind(self) -> int:
        """Rewind all consumers to position zero; return how many there are."""
        number = 0
        async for service, subscription in self._listed():
            request = RewindSubscriptionRequest(
                request_id=str(UUID(int=self._rng.getrandbits(128), version=4)),
                consumer=subscription.consumer,
                reason="a fault of the replay",
            )
            try:
                done = await self._subscriptions[service].RewindSubscription(request)
            except grpc.aio.AioRpcError as error:
                self._observations.count_failure("RewindSubscription", error)
                continue
            key = (service, subscription.consumer)
            position = done.rewound_from.position
            self._rewound_from[key] = max(self._rewound_from.get(key, 0), position)
            number += 1
        return number

    async def wait_caught_up(self, *, timeout_s: float) -> int:
        """Wait until all consumers have reached the positions from which they were rewound.

        Returns how many have not when the time is up.
        """
        give_up_s = self._clock.monotonic() + timeout_s
        while (behind := await self._behind()) and self._clock.monotonic() < give_up_s:
            await self._clock.sleep(POLL_S)
        return behind

    async def _behind(self) -> int:
        reached = {
            (service, each.consumer): each.position async for service, each in self._listed()
        }
        return sum(reached.get(key, 0) < position for key, position in self._rewound_from.items())

    async def _listed(self) -> AsyncIterator[tuple[str, Subscription]]:
        """Every consumer with its service; some services have none."""
        for service, stub in self._subscriptions.items():
            try:
                listed = await stub.ListSubscriptions(ListSubscriptionsRequest())
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                    self._observations.count_failure("ListSubscriptions", error)
                continue
            for subscription in listed.subscriptions:
                yield service, subscription


def changes_by_rewind(before: Snapshot, after: Snapshot, *, behind: int) -> Iterator[Equation]:
    """Equations that hold if a rewind of an idle suite changed nothing.

    `behind` is how many consumers have not reached their old positions again.
    """
    yield Equation("consumers behind after a rewind of the idle suite", behind, 0)
    kept = [each.name for each in fields(Snapshot) if each.name != "mails"]
    changed = sum(getattr(before, name) != getattr(after, name) for name in kept)
    yield Equation("kinds of records changed by a rewind of the idle suite", changed, 0)
    again = sum(before.mails.get(name) != time_ns for name, time_ns in after.mails.items())
    yield Equation("mails sent again by a rewind of the idle suite", again, 0)
