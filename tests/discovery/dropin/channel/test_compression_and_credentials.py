"""Compression, credentials and the user agent work as in grpc.aio."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.dropin.comparison import Both, all_of
from tests.support.discovery.dropin.scripted_server import ScriptedServer, path

LONG = b"." * 500_000
KINDS = pytest.mark.parametrize(
    ("kind", "method", "request_"),
    [
        ("unary_unary", "Unary", b"." * 500_000),
        ("unary_stream", "Responses", b"." + b"-" * 500_000),
        ("stream_unary", "Requests", [LONG]),
        ("stream_stream", "Both", [LONG]),
    ],
)


class Wire:
    """A relay in front of a server that counts the bytes a client sends."""

    def __init__(self) -> None:
        self.sent_bytes = 0
        self.address = ""
        self.server_port = 0
        self.relays: set[asyncio.Task[None]] = set()

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin to relay a connection."""
        self.relays.add(asyncio.get_running_loop().create_task(self.relay(reader, writer)))

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection."""
        beyond = await asyncio.open_connection("127.0.0.1", self.server_port)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._carry(reader, beyond[1], counts=True))
                tasks.create_task(self._carry(beyond[0], writer, counts=False))
        except* OSError:
            pass  # one of both sides is gone
        finally:
            writer.close()
            beyond[1].close()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool
    ) -> None:
        while data := await reader.read(65536):
            self.sent_bytes += len(data) if counts else 0
            writer.write(data)
            await writer.drain()
        writer.write_eof()


@asynccontextmanager
async def counted(server: ScriptedServer) -> AsyncIterator[Wire]:
    """Run a relay until the end of the block."""
    wire = Wire()
    wire.server_port = server.port
    listening = await asyncio.start_server(wire.connected, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    wire.address = f"127.0.0.1:{port}"
    async with listening:
        yield wire
        for relay in wire.relays:
            relay.cancel()
        await asyncio.gather(*wire.relays, return_exceptions=True)


@KINDS
@pytest.mark.parametrize(
    "compression",
    [None, grpc.Compression.NoCompression, grpc.Compression.Deflate, grpc.Compression.Gzip],
)
async def test_compression_of_one_call(  # noqa: PLR0917 - what pytest gives
    both: Both,
    server: ScriptedServer,
    background: Background,
    kind: str,
    method: str,
    request_: Any,
    compression: grpc.Compression | None,
) -> None:
    """A call with compression sends fewer bytes, and the request arrives whole."""
    with background.entered(counted(server)) as wire:

        async def program(channel: Any, _: Any) -> Any:
            await channel.unary_unary(path("Unary"))(b".")
            before = wire.sent_bytes
            call = getattr(channel, kind)(path(method))(request_, compression=compression)
            answered = await all_of(call)
            return answered == request_ or answered, wire.sent_bytes - before > 250_000

        await both(program, address=wire.address)


async def test_compression_by_a_channel_argument(
    both: Both, server: ScriptedServer, background: Background
) -> None:
    """A channel argument compresses every call."""
    with background.entered(counted(server)) as wire:

        async def program(channel: Any, _: Any) -> Any:
            answered = await channel.unary_unary(path("Unary"))(LONG)
            return len(answered), wire.sent_bytes > 250_000

        options = [("grpc.default_compression_algorithm", grpc.Compression.Gzip)]
        await both(program, address=wire.address, options=options)


@KINDS
@pytest.mark.parametrize("own", [None, grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_compression_of_a_channel(  # noqa: PLR0917 - what pytest gives
    both: Both,
    server: ScriptedServer,
    background: Background,
    kind: str,
    method: str,
    request_: Any,
    own: grpc.Compression | None,
) -> None:
    """A channel's compression is that of each call which names none of its own."""
    with background.entered(counted(server)) as wire:

        async def program(channel: Any, _: Any) -> Any:
            await channel.unary_unary(path("Unary"))(b".")
            before = wire.sent_bytes
            call = getattr(channel, kind)(path(method))(request_, compression=own)
            answered = await all_of(call)
            return answered == request_ or answered, wire.sent_bytes - before > 250_000

        await both(program, address=wire.address, compression=grpc.Compression.Deflate)


async def test_the_user_agent(both: Both) -> None:
    """The user agent is the program's own text, then grpc's."""

    async def program(channel: Any, server: Any) -> Any:
        await channel.unary_unary(path("Unary"))(b".")
        return dict(server.metadata)["user-agent"]

    await both(program, options=[("grpc.primary_user_agent", "mine/1.0")])
