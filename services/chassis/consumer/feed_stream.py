"""The messages of a feed, for one consumer, until the feed is silent or the process drains."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub

from discovery.clock import Clock
from services.chassis.consumer.inbox import ConsumerPosition
from services.chassis.request.wire_values import to_duration

# Ten heartbeats: a feed that sends nothing for so long is frozen or disconnected.
SILENCE_S = 10.0
# An operator's list of consumers waits so long for a feed.
HEAD_TIMEOUT_S = 1.0
# A rewind waits longer: without an answer it is refused.
REWIND_TIMEOUT_S = 5.0


class FeedSilentError(Exception):
    """The stream ended, or sent nothing for too long."""


class FeedStream:
    """Reads one feed for one consumer; `stopping` is resolved when the process drains."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        consumer: str,
        types: tuple[str, ...],
        topic: str,
        max_batch: int,
        gather: timedelta | None,
        clock: Clock,
        stopping: asyncio.Future[None],
    ) -> None:
        self._stub = EventFeedServiceStub(channel)
        self._consumer = consumer
        self._types = types
        self._topic = topic
        self._max_batch = max_batch
        self._gather = gather
        self._clock = clock
        self._stopping = stopping

    async def epoch(self) -> str:
        """Fetch the feed's current epoch. Raises grpc.aio.AioRpcError."""
        return (await self._stub.GetFeed(pb.GetFeedRequest())).epoch

    async def head(self, timeout_s: float = HEAD_TIMEOUT_S) -> pb.GetFeedResponse | None:
        """Fetch how far the feed is; None if it doesn't answer within `timeout_s`."""
        try:
            return await self._stub.GetFeed(pb.GetFeedRequest(), timeout=timeout_s)
        except grpc.aio.AioRpcError:
            return None

    async def messages(
        self, reached: ConsumerPosition
    ) -> AsyncGenerator[pb.SubscribeEventsResponse, None]:
        """Stream the messages after a position; ends when the process drains.

        Raises grpc.aio.AioRpcError and FeedSilentError.
        """
        call = self._stub.SubscribeEvents(
            pb.SubscribeEventsRequest(
                consumer=self._consumer,
                epoch=reached.epoch,
                after_position=reached.position,
                after_event_id=reached.event_id,
                types=self._types,
                topic=self._topic,
                # While a new version is rolled out, its consumers read feeds of the old one.
                allow_unknown=True,
                max_batch=self._max_batch,
                gather=None if self._gather is None else to_duration(self._gather),
            )
        )
        try:
            while (message := await self._next(call)) is not None:
                yield message
        finally:
            call.cancel()

    async def nap(self, delay_s: float) -> None:
        """Sleep, but return at once when the process drains."""
        napping = asyncio.ensure_future(self._clock.sleep(delay_s))
        async with _ending(napping):
            await asyncio.wait({napping, self._stopping}, return_when=asyncio.FIRST_COMPLETED)

    async def _next(self, call: Any) -> pb.SubscribeEventsResponse | None:
        reading: asyncio.Future[Any] = asyncio.ensure_future(call.read())
        alarm = asyncio.ensure_future(self._clock.sleep(SILENCE_S))
        async with _ending(reading, alarm):
            await asyncio.wait(
                {reading, alarm, self._stopping}, return_when=asyncio.FIRST_COMPLETED
            )
            if self._stopping.done():
                return None
            if not reading.done():
                raise FeedSilentError(f"the feed sent nothing for {SILENCE_S:g} s")
            message = reading.result()
        if not isinstance(message, pb.SubscribeEventsResponse):
            raise FeedSilentError("the stream ended")
        return message


@asynccontextmanager
async def _ending(*tasks: asyncio.Future[Any]) -> AsyncGenerator[None, None]:
    """Cancel the tasks when the block ends, and wait for them, so that no error is left unread."""
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
