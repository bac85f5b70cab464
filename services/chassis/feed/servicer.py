"""Serves tradepost.event.v1.EventFeedService over the feed of a service."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1 import event_service_pb2_grpc

from services.chassis.feed.feed import Feed
from services.chassis.feed.wire import to_feed, to_page_query, to_subscription_query
from services.chassis.request.context import Context
from services.chassis.request.errors import NotImplementedYetError

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["EventFeedService"].full_name
SUBSCRIPTION_METHODS = frozenset({f"/{SERVICE_NAME}/SubscribeEvents"})


class EventFeedServicer(event_service_pb2_grpc.EventFeedServiceServicer):
    """Serves EventFeedService; a service without a feed answers UNIMPLEMENTED."""

    def __init__(self, feed: Feed | None) -> None:
        self._served = feed

    async def ReadEvents(
        self, request: pb.ReadEventsRequest, context: Context
    ) -> pb.ReadEventsResponse:
        """Read a page of the feed."""
        feed = self._feed("ReadEvents")
        page = await feed.read(to_page_query(request, feed.contents))
        return pb.ReadEventsResponse(
            events=[feed.to_event(event, page.epoch) for event in page.events],
            next_position=page.next_position,
            head_position=page.head,
        )

    async def SubscribeEvents(
        self, request: pb.SubscribeEventsRequest, context: Context
    ) -> AsyncIterator[pb.SubscribeEventsResponse]:
        """Stream the feed as it grows."""
        feed = self._feed("SubscribeEvents")
        following = feed.follow(to_subscription_query(request, feed.contents))
        async with aclosing(following) as messages:
            async for message in messages:
                yield message

    async def GetFeed(self, request: pb.GetFeedRequest, context: Context) -> pb.GetFeedResponse:
        """Read the oldest position, the head and the epoch of the feed."""
        feed = self._feed("GetFeed")
        return to_feed(feed.contents.name, await feed.extent())

    def _feed(self, method: str) -> Feed:
        if self._served is None:
            raise NotImplementedYetError(f"EventFeedService.{method}")
        return self._served
