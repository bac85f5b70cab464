"""Reads over one kept HTTP/1.1 connection, as little work as a client can do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from scripts.suite.run_folder import StartError

_OK = "200"
_LINE_END = b"\r\n"
_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer: its status, its headers by lower-case name, and its body."""

    status: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpReader:
    """A connection on which one GET follows another."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def get(self, path: str) -> HttpAnswer:
        """Read the path. Raises StartError for an answer that isn't 200 or is empty."""
        self.writer.write(f"GET {path} HTTP/1.1\r\nhost: edge\r\n\r\n".encode())
        head = (await self.reader.readuntil(_HEAD_END)).decode().splitlines()
        status = head[0].split(" ")[1]
        lines = [line.partition(":") for line in head[1:] if line]
        headers = {name.lower(): value.strip() for name, _, value in lines}
        if headers.get("transfer-encoding") == "chunked":
            body = b"".join([chunk async for chunk in self._chunks()])
        else:
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        if status != _OK or not body:
            raise StartError(f"GET {path} was answered {head}: {body.decode(errors='replace')}")
        return HttpAnswer(status, headers, body)

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self.reader.readuntil(_LINE_END), 16):
            yield (await self.reader.readexactly(size + len(_LINE_END)))[:size]
        await self.reader.readexactly(len(_LINE_END))


@asynccontextmanager
async def http_reader(host: str, port: int) -> AsyncIterator[HttpReader]:
    """A connection that is open until the block ends. Raises OSError."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield HttpReader(reader, writer)
    finally:
        writer.close()
