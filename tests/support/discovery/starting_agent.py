"""A Consul agent whose certificate authority has not started yet."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from tests.support.discovery.consul_agent import ConsulAgent

# What Consul 1.8 answers in the moments after its start, one after the other.
NO_AUTHORITY = (
    "No cluster leader",
    "cluster has no CA bootstrapped yet",
    "internal error: CA provider is nil",
    "internal error: CA root is nil",
    "CA is already in state INITIALIZING",
)
_CONNECT = "/v1/agent/connect/ca/"


@asynccontextmanager
async def starting_agent(agent: ConsulAgent, answers: Sequence[str]) -> AsyncIterator[str]:
    """Stand in front of a real agent; yield an address (`host:port`).

    The first questions about certificates get these answers as errors, everything else is passed
    on: how long a real agent answers so can't be chosen.
    """
    left = list(answers)
    async with aiohttp.ClientSession(f"http://{agent.address}", auto_decompress=False) as session:

        async def handle(request: web.Request) -> web.StreamResponse:
            if left and request.path.startswith(_CONNECT):
                return web.Response(status=500, text=left.pop(0))
            async with session.request(
                request.method,
                request.rel_url,
                headers=request.headers,
                data=await request.read(),
            ) as answered:
                index = {
                    name: value
                    for name, value in answered.headers.items()
                    if name.startswith("X-Consul-")
                }
                body = await answered.read()
                return web.Response(status=answered.status, headers=index, body=body)

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()
