"""How long facts take from their writer to a subscriber, who finds the feeds through discovery."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import grpc
from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub

from discovery.clock import Clock


class LagMeter:
    """Follows feeds; what it messages_before since it was last asked.

    A fact's time is taken when it is written, before its COMMIT, and by the same machine's clock:
    the lag has the commit in it.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._lags_ms: list[float] = []
        self.messages = 0

    def take(self) -> Sequence[float]:
        """The lag of every event since the last time, in ms."""
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
        async for said in stub.SubscribeEvents(request):
            self.messages += 1
            now_s = self._clock.now().timestamp()
            for event in said.batch.events:
                recorded_s = event.occur_time.ToMicroseconds() / 1_000_000
                self._lags_ms.append(1_000 * (now_s - recorded_s))


@asynccontextmanager
async def metered(channels: Sequence[grpc.aio.Channel], *, clock: Clock) -> AsyncIterator[LagMeter]:
    """A meter that follows the feeds behind these channels for as long as the block."""
    meter = LagMeter(clock=clock)
    async with asyncio.TaskGroup() as group:
        following = [group.create_task(meter.follow(channel)) for channel in channels]
        yield meter
        for task in following:
            task.cancel()
