"""Stubs of the suite, on channels opened as an application opens them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from scripts.suite.cluster import SERVICES, Cluster
from services.console.reading.stubs import Stubs


@asynccontextmanager
async def open_stubs(suite: Cluster) -> AsyncIterator[Stubs]:
    """Open a channel to each service of the suite; close them at the end of the block."""
    async with AsyncExitStack() as stack:
        channels = {
            service: await stack.enter_async_context(suite.open_channel(service))
            for service in SERVICES
        }
        for channel in channels.values():
            # A channel that knows its instances goes on when Consul restarts.
            channel.get_state(try_to_connect=True)
        yield Stubs.over(channels)
