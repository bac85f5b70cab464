"""Watches a fixed list of addresses: targets of the form `static:///host:port,host:port`."""

import asyncio
from collections.abc import AsyncGenerator

from discovery.registry.addresses import instances_at, split_address
from discovery.registry.instance import Instance


class StaticWatcher:
    """Implements Watcher for a list of `host:port` that never changes."""

    def __init__(self, addresses: tuple[str, ...]) -> None:
        self._addresses = addresses

    async def watch(
        self, service: str, *, tag: str | None = None
    ) -> AsyncGenerator[tuple[Instance, ...], None]:
        yield await self.lookup(service, tag=tag)
        # Nothing will change: wait until the watch is cancelled.
        await asyncio.get_running_loop().create_future()

    async def lookup(self, service: str, *, tag: str | None = None) -> tuple[Instance, ...]:
        del tag
        return instances_at(service, map(split_address, self._addresses))
