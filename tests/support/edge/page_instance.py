"""A tiny web application behind an edge: it tells what it was asked, streams, and breaks off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from discovery.registry.instance import Instance

META = {"protocol": "http"}


@dataclass(slots=True)
class PageInstance:
    """A running instance; `asked` are the verbs and paths of requests, in their order."""

    name: str
    asked: list[str] = field(default_factory=list)
    # How many of the next requests get no answer: their connection is closed instead.
    breaks: int = 0
    # Lets a stream send its second event.
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    def registered_as(self, service: str, **meta: str) -> Instance:
        """The instance as a registry knows it."""
        return Instance(self.name, service, "127.0.0.1", self.port, meta=meta or META)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.raw_path}")
        if self.breaks:
            self.breaks -= 1
            assert request.transport is not None
            request.transport.abort()
        if request.path.endswith("/stream"):
            return await self._stream(request)
        if request.path.endswith("/hang"):
            await asyncio.Event().wait()
        body: dict[str, Any] = {
            "name": self.name,
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "bytes": len(await request.read()),
        }
        return web.json_response(body)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Two events; the second one when `go_on` is set."""
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"id: 1\ndata: begun\n\n")
        await self.go_on.wait()
        await response.write(b"id: 2\ndata: done\n\n")
        return response


@asynccontextmanager
async def page_instance(name: str) -> AsyncIterator[PageInstance]:
    """Serve on a free port until the block ends."""
    instance = PageInstance(name)
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", instance.answer)
    async with TestServer(app) as server:
        assert server.port is not None
        instance.port = server.port
        yield instance
