"""Serves any ASGI application over a socket of this machine."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp


def listener() -> socket.socket:
    """A socket that listens on a free port."""
    return socket.create_server(("127.0.0.1", 0))


@asynccontextmanager
async def asgi_server(app: ASGIApp, bound: socket.socket) -> AsyncIterator[str]:
    """Serve until the block ends; yields the URL."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none"))
    serving = asyncio.create_task(server._serve([bound]))
    try:
        # Connections that come before the server accepts any wait at the socket.
        yield "http://127.0.0.1:{1}".format(*bound.getsockname())
    finally:
        server.should_exit = True
        await serving
