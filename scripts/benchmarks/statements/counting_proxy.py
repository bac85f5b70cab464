"""A proxy before a PostgreSQL server that counts what passes, without changing it."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import make_url

from scripts.benchmarks.statements.wire_messages import ConnectionCounter, StatementCount

# The name that libpq gives the socket of the usual port.
_SOCKET = ".s.PGSQL.5432"
_CHUNK_BYTES = 65_536


@dataclass(slots=True)
class CountingProxy:
    """Counts what is sent through `url` to a database of the server at the Unix socket `server`."""

    url: str
    server: Path
    count: StatementCount = field(default_factory=StatementCount)
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection until either side closes it."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (this coroutine runs in one)
        self._connections.add(task)
        try:
            await self._forward(reader, writer)
        except OSError:
            # A side is gone, and the other one learns it from the end of its connection.
            return
        finally:
            writer.close()
            self._connections.discard(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(self.server)
        counter = ConnectionCounter(self.count)
        pumps = [
            asyncio.create_task(_pump(reader, to_server, counter.sent)),
            asyncio.create_task(_pump(from_server, writer, counter.answered)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            to_server.close()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def close(self) -> None:
        """Close the connections that are still open."""
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


@asynccontextmanager
async def counting_proxy(url: str) -> AsyncIterator[CountingProxy]:
    """A proxy before the database at `url`, whose server listens on a Unix socket.

    The proxy listens on one as well, so libpq asks neither for TLS nor for Kerberos.
    """
    database = make_url(url)
    with tempfile.TemporaryDirectory(prefix="tradepost-count-") as folder:
        through = database.set(query={"host": folder}).render_as_string(hide_password=False)
        proxy = CountingProxy(through, Path(str(database.query["host"])) / _SOCKET)
        server = await asyncio.start_unix_server(proxy.serve, Path(folder) / _SOCKET)
        try:
            yield proxy
        finally:
            server.close()
            await proxy.close()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: Callable[[bytes], None]
) -> None:
    while data := await reader.read(_CHUNK_BYTES):
        count(data)
        writer.write(data)
        await writer.drain()
