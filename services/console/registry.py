"""Opens the registry whose instances the console shows."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from discovery.clock import Clock
from discovery.registry.consul.registry import ConsulRegistry
from services.chassis.identity.consul_connect import agent_address
from services.chassis.server.settings import RegistrySettings


@asynccontextmanager
async def opened_registry(
    settings: RegistrySettings, *, clock: Clock, rng: random.Random
) -> AsyncIterator[ConsulRegistry | None]:
    """Yield the Consul agent of the settings, or None if they turn it off. Raises SettingError."""
    if settings.kind == "none":
        yield None
        return
    registry = ConsulRegistry(agent_address(settings.address), clock=clock, rng=rng)
    try:
        yield registry
    finally:
        await registry.close()
