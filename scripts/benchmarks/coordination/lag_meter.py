"""Measures the lag of the feeds: the time from an event's write until a subscriber receives it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import grpc
from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub

from discovery.clock import Clock


class LagMeter:
    """Follows feeds and records the lag of each event.

    An event's time is taken when it is written, before its COMMIT, by the same machine's clock, so
    the lag includes the commit.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._lags_ms: list[float] = []
        self.messages = 0

    def take_lags(self) -> Sequence[float]:
        """The lag in ms of every event since the last call."""
        taken, self._lags_ms = self._lags_ms, []
        return taken

    async def follow(self, channel: grpc.aio.Channel) -> None:
        """Follow one feed from its head until cancelled. Raises grpc.aio.AioRpcError."""
        stub = EventFeedServiceStub(channel)
        head = await stub.GetFeed(pb.GetFeedRequest())
        self.messages += 2
        request = pb.SubscribeEventsRequest(
            consumer="lag-meter", epoch=head.epoch, after_position=head.head_position
        )
        async for response in stub.SubscribeEvents(request):
            self.messages += 1
            now_s = self._clock.now().timestamp()
            for event in response.batch.events:
                recorded_s = event.occur_time.ToMicroseconds() / 1_000_000
                self._lags_ms.append(1_000 * (now_s - recorded_s))


@asynccontextmanager
async def metered(channels: Sequence[grpc.aio.Channel], *, clock: Clock) -> AsyncIterator[LagMeter]:
    """A meter that follows the feeds of these channels during the block."""
    meter = LagMeter(clock=clock)
    async with asyncio.TaskGroup() as group:
        following = [group.create_task(meter.follow(channel)) for channel in channels]
        yield meter
        for task in following:
            task.cancel()
