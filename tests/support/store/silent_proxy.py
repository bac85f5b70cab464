"""A proxy before a PostgreSQL server that stops forwarding, without closing any connection.

It can also lead new connections to another server.

async with silent_proxy(databases.url()) as proxy:
    database = await Database.open(proxy.url, ...)
    proxy.hush()
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.engine import make_url


class SilentProxy:
    """Forwards bytes both ways, until it is hushed. Use it on the event loop it was made on."""

    def __init__(self, url: str) -> None:
        self.switch_to(url)
        self._requests, self._answers = asyncio.Event(), asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self.url = ""
        self.resume()

    def switch_to(self, url: str) -> None:
        """Lead new connections to the server of a URL; the others stay where they are."""
        folder = make_url(url).query["host"]
        assert isinstance(folder, str)
        self._socket = Path(folder) / ".s.PGSQL.5432"

    def hush(self) -> None:
        """Forward nothing."""
        self._requests.clear()
        self._answers.clear()

    def hush_answers(self) -> None:
        """Forward only what clients send; any thread may call it."""
        self._answers.clear()

    def resume(self) -> None:
        """Forward again, also what was held."""
        self._requests.set()
        self._answers.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection until either side closes it."""
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._forward(reader, writer)
        finally:
            await _close(writer)
            self._connections.discard(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_unix_connection(str(self._socket))
        except OSError:
            # The server is not there.
            return
        pumps = {
            asyncio.create_task(_pump(reader, to_server, self._requests)),
            asyncio.create_task(_pump(from_server, writer, self._answers)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Before anything is awaited: the proxy may be closed meanwhile, which cancels this.
            to_server.close()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, to_server.wait_closed(), return_exceptions=True)

    async def closed(self) -> None:
        """Wait until the connections are closed, because their clients are."""
        if self._connections:
            await asyncio.wait(self._connections)

    async def close(self) -> None:
        """Close the connections, also those that a failed test has left open."""
        for connection in self._connections:
            connection.cancel()
        await self.closed()


@asynccontextmanager
async def silent_proxy(url: str) -> AsyncIterator[SilentProxy]:
    """A proxy on a free port before the server at a Unix socket; `proxy.url` leads through it."""
    proxy = SilentProxy(url)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    through = make_url(url).set(host="127.0.0.1", port=port, query={})
    proxy.url = through.render_as_string(hide_password=False)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_open: asyncio.Event
) -> None:
    while data := await reader.read(65_536):
        await is_open.wait()
        writer.write(data)
        await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
