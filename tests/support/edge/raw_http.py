"""HTTP as it is written, for requests that no client would send."""

import asyncio

from tests.support.limits import WAIT_S


async def raw_http(port: int, text: str) -> bytes:
    """Send a text and return what comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(text.encode("latin-1"))
        async with asyncio.timeout(WAIT_S):
            return await reader.read()
    finally:
        writer.close()
