"""HTTP/2 as it is written, with headers that no library would send (RFC 9113, RFC 7541)."""

import asyncio
import struct
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from tests.support.limits import WAIT_S

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADERS, _DATA, _RST_STREAM, _SETTINGS, _GOAWAY = 0x1, 0x0, 0x3, 0x4, 0x7
_END_STREAM, _END_HEADERS = 0x1, 0x4
# Statuses that HPACK's static table has; others are written out.
_STATUSES: Mapping[int, str] = {0x88: "200", 0x8C: "400", 0x8D: "404", 0x8E: "500"}
_ANSWERED = "answered"

Fields = Iterable[tuple[bytes, bytes]]


@dataclass(slots=True)
class RawHttp2:
    """A connection; streams have the ids 1, 3, 5 and so on."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def ask(
        self, stream: int, fields: Fields, data: bytes | None = None, trailers: Fields = ()
    ) -> None:
        """Write a request with these fields, pseudo-headers included, in their order.

        Trailers can stand behind data only.
        """
        block = b"".join(_literal(name, value) for name, value in fields)
        flags = _END_HEADERS | (_END_STREAM if data is None else 0)
        self.writer.write(_frame(_HEADERS, flags, stream, block))
        if data is not None:
            end = b"".join(_literal(name, value) for name, value in trailers)
            self.writer.write(_frame(_DATA, 0 if end else _END_STREAM, stream, data))
            if end:
                self.writer.write(_frame(_HEADERS, _END_HEADERS | _END_STREAM, stream, end))

    async def outcomes(self, count: int = 1) -> dict[int, str]:
        """What becomes of so many streams: a status, "stream reset", or "connection closed" (0)."""
        found: dict[int, str] = {}
        async with asyncio.timeout(WAIT_S):
            while len(found) < count:
                try:
                    kind, stream, payload = await self._read()
                except (asyncio.IncompleteReadError, ConnectionError):
                    return {**found, 0: "connection closed"}
                if kind == _HEADERS:
                    found.setdefault(stream, _STATUSES.get(payload[0], _ANSWERED))
                elif kind == _RST_STREAM:
                    found.setdefault(stream, "stream reset")
                elif kind == _GOAWAY:
                    return {**found, 0: "connection closed"}
        return found

    async def _read(self) -> tuple[int, int, bytes]:
        head = await self.reader.readexactly(9)
        length = int.from_bytes(head[:3])
        stream = int.from_bytes(head[5:]) & 0x7FFFFFFF
        return head[3], stream, await self.reader.readexactly(length)


@asynccontextmanager
async def raw_http2(port: int) -> AsyncIterator[RawHttp2]:
    """Connect with prior knowledge; settings of the other side are read but not obeyed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_PREFACE + _frame(_SETTINGS, 0, 0, b""))
    try:
        yield RawHttp2(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """A field that is written out and never indexed."""
    return b"\x10" + _text(name) + _text(value)


def _text(text: bytes) -> bytes:
    """A string without Huffman's code; lengths from 127 on take more bytes."""
    length = len(text)
    if length < 0x7F:
        return bytes([length]) + text
    rest, more = length - 0x7F, bytearray([0x7F])
    while rest >= 0x80:
        more.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*more, rest]) + text
