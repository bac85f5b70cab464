"""A connection on which anything can be written, and the HTTP/1.1 answers that come back."""

import asyncio
import io
import json
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

from tests.support.limits import WAIT_S

# The first byte of a frame of gRPC-Web with trailers; the length is in the next four.
_TRAILERS = b"\x80"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; the names of its headers are in lower case."""

    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes

    @property
    def text(self) -> str:
        """The status with the reason of an error: "404 PATH_NOT_FOUND"; gRPC's as "grpc 12"."""
        status = self.headers.get("grpc-status")
        # gRPC-Web has it in the last frame of the body, and there in the first line.
        if self.body.startswith(_TRAILERS):
            status = self.body[len(_TRAILERS) + 4 :].partition(b"\r\n")[0].split()[-1].decode()
        if status is not None:
            return f"grpc {status}"
        reason = "" if self.status < 400 else _reason(self.body)
        return f"{self.status} {reason}".strip()


async def exchange(port: int, *parts: bytes) -> list[Reply]:
    """Write the parts, and return all answers until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    # A server may answer and close while we still write.
    answer = asyncio.create_task(_read(reader))
    try:
        async with asyncio.timeout(WAIT_S):
            with suppress(ConnectionError):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
            return replies(await answer, to_head=parts[0].startswith(b"HEAD "))
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    """Everything until the connection is closed, also when it breaks off."""
    data = bytearray()
    with suppress(ConnectionError):
        while part := await reader.read(65_536):
            data += part
    return bytes(data)


def replies(data: bytes, *, to_head: bool = False) -> list[Reply]:
    """Split what a server wrote into its answers; what is no answer is dropped."""
    stream, found = _Kept(data), []
    while stream.tell() < len(data):
        # It asks a socket for nothing but a file to read.
        response = HTTPResponse(cast("Any", stream), method="HEAD" if to_head else None)
        try:
            response.begin()
            body = response.read()
        except HTTPException:
            break
        headers = {name.lower(): value for name, value in response.getheaders()}
        found.append(Reply(response.status, headers, body))
    return found


class _Kept(io.BytesIO):
    """Bytes that pass for a socket, and that a reader doesn't close behind each answer."""

    def makefile(self, *_: Any) -> io.BytesIO:
        return self

    def close(self) -> None:
        """Stay open."""


def _reason(body: bytes) -> str:
    """The reason of an error in REST's JSON, or the code of one in Connect's."""
    try:
        error = json.loads(body)
        return next(
            (each["reason"] for each in error["details"] if "reason" in each), error["code"]
        )
    except (ValueError, KeyError):
        return ""
