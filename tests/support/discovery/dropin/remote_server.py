"""The scripted server in the event loop of another thread, for the programs of the test's own loop.

A synchronous channel may block the thread that calls it, and its server must go on meanwhile.
"""

import asyncio
from typing import Any

from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.dropin.scripted_server import ScriptedServer


class RemoteEvent:
    """An event of the server's loop."""

    def __init__(self, event: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
        self._event = event
        self._loop = loop

    def set(self) -> None:
        """Set the event."""
        self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        """Wait until the event is set."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._event.wait(), self._loop))


class RemoteServer(ScriptedServer):
    """What a program sees of the server."""

    def __init__(self, server: ScriptedServer, background: Background) -> None:
        self._server = server
        self._background = background
        self.port = server.port

    def begin(self) -> None:
        """Forget what was seen, for the next program."""
        self._background.run(self._begin())

    async def _begin(self) -> None:
        self._server.begin()

    def __getattribute__(self, name: str) -> Any:
        """Return the server's own events and metadata."""
        if name in {"entered", "over", "gate"}:
            return RemoteEvent(getattr(self._server, name), self._background.loop)
        if name == "metadata":
            return self._server.metadata
        return super().__getattribute__(name)
