"""A service's event log as a feed: pages of it, and a stream that follows it.

Whoever follows is woken by the tailer and reads the log itself, so what it sees is in commit
order without a gap, whichever instance wrote it. Nothing is read ahead: the next read waits until
gRPC's flow control has taken the last batch.
"""

import math
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace

from tradepost.event.v1 import event_pb2
from tradepost.event.v1 import event_service_pb2 as pb

from discovery.clock import Clock
from services.chassis.feed.feed_page import FeedExtent, FeedPage, FeedQuery, extent, read_feed
from services.chassis.feed.wire import to_event, to_heartbeat
from services.chassis.log.event_log import EventLog, StoredEvent
from services.chassis.log.tailer import Tailer
from services.chassis.log.watch import Wants, Watch
from services.chassis.request.errors import DrainingError
from services.chassis.request.slot import slot_released
from services.chassis.store.database import Database

# A subscriber that hears nothing for long takes the stream for dead.
HEARTBEAT_S = 1.0
# Under load events are gathered for so long, or each commit would cost every subscriber a read.
GATHER_S = 0.01


@dataclass(frozen=True, slots=True)
class Feed:
    """The log of the service `name`, for the event loop that its tailer runs on.

    `aggregate_types` tells what a stream is about by the prefix of its name: {"ord": "order"}.
    """

    name: str
    aggregate_types: Mapping[str, str]
    database: Database
    log: EventLog
    tailer: Tailer
    clock: Clock
    heartbeat_s: float = HEARTBEAT_S
    gather_s: float = GATHER_S

    async def extent(self) -> FeedExtent:
        """From where to where it can be read."""
        return await self.database.read(extent, self.log)

    async def read(self, query: FeedQuery) -> FeedPage:
        """A page. Raises EpochChangedError, PositionTruncatedError, PositionAheadOfHeadError."""
        return await self.database.read(read_feed, self.log, query)

    async def follow(self, query: FeedQuery) -> AsyncGenerator[pb.SubscribeEventsResponse, None]:
        """Every event behind the position, for ever: batches, and heartbeats in silence.

        Where there is nothing to read at first, a heartbeat says so at once; then one comes after
        each `heartbeat_s` of silence. Raises what `read` raises, and DrainingError with where to
        resume.
        """
        with self.tailer.watch(_wants(query)) as watch:
            async for message in self._follow(query, watch):
                yield message

    async def _follow(
        self, query: FeedQuery, watch: Watch
    ) -> AsyncGenerator[pb.SubscribeEventsResponse, None]:
        heard_s = -math.inf
        while not self.tailer.closed:
            read_s = self.clock.monotonic()
            page = await self.read(query)
            query = replace(query, after_position=page.next_position, epoch=page.epoch)
            # A subscriber that doesn't read, or has nothing to read, costs no place at work.
            with slot_released():
                if page.events:
                    yield self._to_batch(page)
                    heard_s = self.clock.monotonic()
                elif read_s - heard_s >= self.heartbeat_s:
                    yield to_heartbeat(page)
                    heard_s = self.clock.monotonic()
                if page.next_position == page.head:
                    gather_s = max(self.gather_s, query.gather_s)
                    silence_s = heard_s + self.heartbeat_s - self.clock.monotonic()
                    await self.tailer.wait_wanted(
                        watch, after_position=page.head, timeout_s=max(0.0, silence_s)
                    )
                    await self._gather(read_s + gather_s)
        raise DrainingError(epoch=query.epoch, after_position=str(query.after_position))

    async def _gather(self, until_s: float) -> None:
        """Let more come, where the last read wasn't long ago."""
        early_s = until_s - self.clock.monotonic()
        if early_s > 0 and not self.tailer.closed:
            await self.clock.sleep(early_s)

    def to_event(self, stored: StoredEvent, epoch: str) -> event_pb2.Event:
        """An event as every reader sees it."""
        prefix = stored.stream.partition("_")[0]
        return to_event(
            stored,
            feed=self.name,
            epoch=epoch,
            aggregate_type=self.aggregate_types.get(prefix, prefix),
        )

    def _to_batch(self, page: FeedPage) -> pb.SubscribeEventsResponse:
        events = [self.to_event(event, page.epoch) for event in page.events]
        return pb.SubscribeEventsResponse(batch=pb.Batch(events=events))


def _wants(query: FeedQuery) -> Wants:
    """Nobody is woken for events that he wouldn't be told of."""
    types, topic = frozenset(query.types), query.topic
    return lambda change: (not types or change.type in types) and topic in ("", change.topic)
