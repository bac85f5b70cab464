"""Bounds all calls of a request together, so that no page waits longer than a person does."""

from starlette.types import ASGIApp, Receive, Scope, Send

import discovery
from discovery.clock import Clock

PAGE_TIMEOUT_S = 5.0


class PageDeadline:
    """The middleware that binds the deadline; `live` lifts it for a stream."""

    def __init__(self, app: ASGIApp, *, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with discovery.bind_deadline(self._clock.monotonic() + PAGE_TIMEOUT_S):
            await self._app(scope, receive, send)
