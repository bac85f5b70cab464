"""Serves a service's event log as a feed: single pages, and a stream of batches that follows it.

A stream is woken by the tailer and then reads the log itself, so it delivers all events in commit
order without gaps, whichever instance wrote them. It does not read ahead: the next read waits until
gRPC's flow control has taken the last batch.
"""

import math
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace

from tradepost.event.v1 import event_pb2
from tradepost.event.v1 import event_service_pb2 as pb

from discovery.clock import Clock
from services.chassis.feed.feed_contents import FeedContents
from services.chassis.feed.feed_page import FeedExtent, FeedPage, FeedQuery, extent, read_feed
from services.chassis.feed.wire import to_event, to_heartbeat
from services.chassis.log.event_log import StoredEvent
from services.chassis.log.tailer import Tailer
from services.chassis.log.watch import ChangeFilter, Watch
from services.chassis.request.errors import DrainingError
from services.chassis.request.slot import slot_released
from services.chassis.store.database import Database

# A subscriber that receives nothing for 10 s treats the stream as dead (`SILENCE_S`).
HEARTBEAT_S = 1.0
# Under load events are collected for so long, so that not each commit costs each subscriber a read.
GATHER_S = 0.01


@dataclass(frozen=True, slots=True)
class Feed:
    """The log of a service, for use on the event loop of its tailer.

    `aggregate_types` maps the prefix of a stream's name to its aggregate type: {"ord": "order"}.
    """

    contents: FeedContents
    aggregate_types: Mapping[str, str]
    database: Database
    tailer: Tailer
    clock: Clock
    heartbeat_s: float = HEARTBEAT_S
    gather_s: float = GATHER_S

    async def extent(self) -> FeedExtent:
        """Read the oldest position, the head and the epoch."""
        return await self.database.read(extent, snapshot=False)

    async def read(self, query: FeedQuery) -> FeedPage:
        """Read a page.

        Raises EpochChangedError, PositionTruncatedError, PositionAheadOfHeadError and
        HistoryChangedError.
        """
        return await self.database.read(read_feed, query, snapshot=False)

    async def follow(self, query: FeedQuery) -> AsyncGenerator[pb.SubscribeEventsResponse, None]:
        """Stream all events after a position without end: batches, and heartbeats in between.

        If there is nothing to read at first, a heartbeat says so at once; after that, one is sent
        after each `heartbeat_s` without a message. Raises the errors of `read`, and DrainingError
        with the position at which to resume.
        """
        # Who has events collected can also wait for a slower poll.
        with self.tailer.watch(_filter(query), is_patient=query.gather_s > 0) as watch:
            async for message in self._follow(query, watch):
                yield message

    async def _follow(
        self, query: FeedQuery, watch: Watch
    ) -> AsyncGenerator[pb.SubscribeEventsResponse, None]:
        sent_s = -math.inf
        while not self.tailer.closed:
            read_s = self.clock.monotonic()
            page = await self.read(query)
            # Each read compares the event that the previous one reached: the database may be
            # restored to an earlier position while this process runs.
            query = replace(
                query,
                after_position=page.next_position,
                after_event_id=page.next_event_id,
                epoch=page.epoch,
            )
            # A subscriber that does not read, or has nothing to read, must not hold a slot.
            with slot_released():
                if page.events:
                    yield self._to_batch(page)
                    sent_s = self.clock.monotonic()
                elif read_s - sent_s >= self.heartbeat_s:
                    yield to_heartbeat(page)
                    sent_s = self.clock.monotonic()
                if page.next_position == page.head:
                    gather_s = max(self.gather_s, query.gather_s)
                    until_heartbeat_s = sent_s + self.heartbeat_s - self.clock.monotonic()
                    await self.tailer.wait_matching(
                        watch, after_position=page.head, timeout_s=max(0.0, until_heartbeat_s)
                    )
                    await self._collect_until(read_s + gather_s)
        raise DrainingError(epoch=query.epoch, after_position=str(query.after_position))

    async def _collect_until(self, until_s: float) -> None:
        """Wait until `until_s` so that more events share a batch; a monotonic instant."""
        early_s = until_s - self.clock.monotonic()
        if early_s > 0 and not self.tailer.closed:
            await self.clock.sleep(early_s)

    def to_event(self, stored: StoredEvent, epoch: str) -> event_pb2.Event:
        """Convert an event to the message that every reader gets."""
        prefix = stored.stream.partition("_")[0]
        return to_event(
            stored,
            feed=self.contents.name,
            epoch=epoch,
            aggregate_type=self.aggregate_types.get(prefix, prefix),
        )

    def _to_batch(self, page: FeedPage) -> pb.SubscribeEventsResponse:
        events = [self.to_event(event, page.epoch) for event in page.events]
        return pb.SubscribeEventsResponse(batch=pb.Batch(events=events))


def _filter(query: FeedQuery) -> ChangeFilter:
    """Match only changes that the query selects, so that others do not wake the subscriber."""
    types, topic = frozenset(query.types), query.topic
    return lambda change: (not types or change.type in types) and topic in ("", change.topic)
