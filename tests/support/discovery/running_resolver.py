"""A running resolver over a registry in memory, for tests."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from discovery.registry.instance import Instance, Resolution
from discovery.registry.memory import MemoryRegistry
from discovery.registry.protocols import Watcher
from discovery.registry.resolver import Resolver
from tests.support.clock.manual_clock import ManualClock

A, B, C = (
    Instance(instance_id=f"order-{name}", service="order", address="10.0.0.1", port=50051)
    for name in "abc"
)


@dataclass
class ResolverUnderTest:
    """A running resolver of `order`, with what it published and which instances serve."""

    watcher: Watcher
    clock: ManualClock = field(default_factory=ManualClock)
    published: list[Resolution] = field(default_factory=list)
    serving: set[Instance] = field(default_factory=set)

    @property
    def latest(self) -> Resolution:
        return self.published[-1]

    @asynccontextmanager
    async def open(self) -> AsyncIterator["ResolverUnderTest"]:
        resolver = Resolver(
            service="order",
            tag=None,
            watcher=self.watcher,
            clock=self.clock,
            rng=random.Random(3),
            publish=self.published.append,
            is_serving=self.serving.__contains__,
        )
        running = asyncio.create_task(resolver.run())
        await self.clock.settle()
        try:
            yield self
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def registry_of(*instances: Instance) -> MemoryRegistry:
    """A registry that knows these instances."""
    registry = MemoryRegistry()
    for instance in instances:
        await registry.register(instance)
    return registry
