"""Live streams (server-sent events) that end when the instance drains.

A browser whose stream ends connects again, to another instance, with the id of the last event that
it got. So an instance that stops tells it to do that soon, and ends the stream.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import anyio
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import AppStatus, EventSourceResponse
from starlette.requests import Request

import discovery

HEARTBEAT_S = 15
# How long a browser waits before it connects again, at most: after a drain, and otherwise.
RETRY_MS = 1_000
RETRY_AFTER_DRAIN_MS = 100
# A browser that reads nothing for so long has gone.
SEND_TIMEOUT_S = 30.0
# How long the source of a stream gets to close.
CLOSE_S = 5.0

# The library would end streams on the signal, before the instance is deregistered.
AppStatus.enable_automatic_graceful_drain = False


class Drain:
    """How far the instance is with stopping: `is_leaving`, and then streams end."""

    def __init__(self) -> None:
        self.is_leaving = False
        self._begun = asyncio.Event()

    def leave(self) -> None:
        """Say to checks that no more requests are wanted."""
        self.is_leaving = True

    def end_streams(self) -> None:
        """End all live streams, and each new one at once."""
        self._begun.set()

    async def wait(self) -> None:
        """Return once streams end."""
        await self._begun.wait()


def live(request: Request, events: AsyncGenerator[ServerSentEvent, None]) -> EventSourceResponse:
    """Answer with a stream of events, until they end, the browser leaves or the instance drains.

    Give each event an `id` that `Last-Event-ID` can go on from. Comments keep the stream alive.
    `events` is closed with the stream, so nothing is watched for a browser that has gone.
    """
    drain: Drain = request.app.state.drain
    return EventSourceResponse(
        _until_drain(events, drain), ping=HEARTBEAT_S, send_timeout=SEND_TIMEOUT_S
    )


async def _until_drain(
    events: AsyncGenerator[ServerSentEvent, None], drain: Drain
) -> AsyncIterator[ServerSentEvent]:
    # The deadline of a page would end the calls of the stream.
    discovery.inherit_deadline(None)
    draining = asyncio.ensure_future(drain.wait())
    following: asyncio.Future[ServerSentEvent | None] | None = None
    try:
        yield ServerSentEvent(retry=RETRY_MS, comment="open")
        while not draining.done():
            following = asyncio.ensure_future(anext(events, None))
            await asyncio.wait({following, draining}, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                event = following.result()
                if event is None:
                    return
                yield event
        yield ServerSentEvent(retry=RETRY_AFTER_DRAIN_MS, comment="draining")
    finally:
        draining.cancel()
        # A browser that leaves cancels this task, which must still end the watch.
        with anyio.move_on_after(CLOSE_S, shield=True):
            await _close(events, following)


async def _close(
    events: AsyncGenerator[ServerSentEvent, None],
    following: asyncio.Future[ServerSentEvent | None] | None,
) -> None:
    """Close the source, which can't be closed while somebody waits for its next event."""
    if following is not None:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    await events.aclose()
