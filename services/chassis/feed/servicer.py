"""The event contract that every server serves: its feed, its consumers and their dead letters.

What a service doesn't have (a log of its own, a feed that it consumes) answers UNIMPLEMENTED with
the reason NOT_IMPLEMENTED.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing

import grpc
from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1 import event_service_pb2_grpc

from services.chassis.consumer.admin import Consumers
from services.chassis.consumer.dead_letters import DeadLetters
from services.chassis.feed.feed import Feed
from services.chassis.feed.wire import to_feed, to_page_query, to_subscription_query
from services.chassis.request.context import Context
from services.chassis.request.errors import NotImplementedYetError
from services.chassis.request.idempotency import REPLAYED_KEY
from services.chassis.request.idempotent_writes import StoredResponse

_FEED, _LETTERS, _SUBSCRIPTIONS = (
    pb.DESCRIPTOR.services_by_name[name].full_name
    for name in ("EventFeedService", "DeadLetterService", "SubscriptionService")
)
SERVICE_NAMES = (_FEED, _LETTERS, _SUBSCRIPTIONS)
WAITING_METHODS = frozenset({f"/{_FEED}/SubscribeEvents"})


class EventFeedServicer(event_service_pb2_grpc.EventFeedServiceServicer):
    """Serves tradepost.event.v1.EventFeedService over a feed, where there is one."""

    def __init__(self, feed: Feed | None) -> None:
        self._served = feed

    async def ReadEvents(
        self, request: pb.ReadEventsRequest, context: Context
    ) -> pb.ReadEventsResponse:
        """A page of the feed."""
        feed = self._feed("ReadEvents")
        page = await feed.read(to_page_query(request))
        return pb.ReadEventsResponse(
            events=[feed.to_event(event, page.epoch) for event in page.events],
            next_position=page.next_position,
            head_position=page.head,
        )

    async def SubscribeEvents(
        self, request: pb.SubscribeEventsRequest, context: Context
    ) -> AsyncIterator[pb.SubscribeEventsResponse]:
        """The feed as it grows."""
        following = self._feed("SubscribeEvents").follow(to_subscription_query(request))
        async with aclosing(following) as messages:
            async for message in messages:
                yield message

    async def GetFeed(self, request: pb.GetFeedRequest, context: Context) -> pb.GetFeedResponse:
        """From where to where the feed goes."""
        feed = self._feed("GetFeed")
        return to_feed(feed.name, await feed.extent())

    def _feed(self, method: str) -> Feed:
        if self._served is None:
            raise NotImplementedYetError(f"EventFeedService.{method}")
        return self._served


class DeadLetterServicer(event_service_pb2_grpc.DeadLetterServiceServicer):
    """Serves tradepost.event.v1.DeadLetterService, where the service consumes a feed."""

    def __init__(self, letters: DeadLetters | None) -> None:
        self._served = letters

    async def ListDeadLetters(
        self, request: pb.ListDeadLettersRequest, context: Context
    ) -> pb.ListDeadLettersResponse:
        """Parked events, the first parked first."""
        return await self._letters("ListDeadLetters").list(request)

    async def ReplayDeadLetters(
        self, request: pb.ReplayDeadLettersRequest, context: Context
    ) -> pb.ReplayDeadLettersResponse:
        """Apply the parked events of one aggregate."""
        done = await self._letters("ReplayDeadLetters").replay(request)
        _tell_replayed(done, context)
        return pb.ReplayDeadLettersResponse.FromString(done.response)

    async def DiscardDeadLetter(
        self, request: pb.DiscardDeadLetterRequest, context: Context
    ) -> pb.DiscardDeadLetterResponse:
        """Give one parked event up."""
        done = await self._letters("DiscardDeadLetter").discard(request)
        _tell_replayed(done, context)
        return pb.DiscardDeadLetterResponse.FromString(done.response)

    def _letters(self, method: str) -> DeadLetters:
        if self._served is None:
            raise NotImplementedYetError(f"DeadLetterService.{method}")
        return self._served


class SubscriptionServicer(event_service_pb2_grpc.SubscriptionServiceServicer):
    """Serves tradepost.event.v1.SubscriptionService, where the service consumes a feed."""

    def __init__(self, consumers: Consumers | None) -> None:
        self._served = consumers

    async def ListSubscriptions(
        self, request: pb.ListSubscriptionsRequest, context: Context
    ) -> pb.ListSubscriptionsResponse:
        """Every consumer, and where it stands."""
        return await self._consumers("ListSubscriptions").list()

    async def RewindSubscription(
        self, request: pb.RewindSubscriptionRequest, context: Context
    ) -> pb.RewindSubscriptionResponse:
        """Have a consumer go through its feed once more."""
        done = await self._consumers("RewindSubscription").rewind(request)
        _tell_replayed(done, context)
        return pb.RewindSubscriptionResponse.FromString(done.response)

    def _consumers(self, method: str) -> Consumers:
        if self._served is None:
            raise NotImplementedYetError(f"SubscriptionService.{method}")
        return self._served


def add_to_server(
    server: grpc.aio.Server,
    *,
    feed: Feed | None,
    dead_letters: DeadLetters | None,
    consumers: Consumers | None,
) -> None:
    """Serve all three services."""
    event_service_pb2_grpc.add_EventFeedServiceServicer_to_server(EventFeedServicer(feed), server)
    event_service_pb2_grpc.add_DeadLetterServiceServicer_to_server(
        DeadLetterServicer(dead_letters), server
    )
    event_service_pb2_grpc.add_SubscriptionServiceServicer_to_server(
        SubscriptionServicer(consumers), server
    )


def _tell_replayed(done: StoredResponse, context: Context) -> None:
    if done.replayed:
        context.set_trailing_metadata(((REPLAYED_KEY, "true"),))
