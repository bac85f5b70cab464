"""Opens the registry that a service registers with."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from discovery.clock import Clock
from discovery.registry.consul.registry import ConsulRegistry
from discovery.registry.protocols import Registrar
from services.chassis.server.settings import RegistrySettings


@asynccontextmanager
async def registrar_of(
    settings: RegistrySettings, *, clock: Clock, rng: random.Random
) -> AsyncIterator[Registrar | None]:
    """Yield the Consul agent of the settings, or None if they name no registry.

    Token, certificates and all else that the agent needs are read from the environment by the same
    function as for channels. The agent's connections are closed when the block ends. Raises
    ValueError for a value that can't be used.
    """
    if settings.kind == "none" or not settings.address:
        yield None
        return
    registry = ConsulRegistry.from_environment(settings.address, clock=clock, rng=rng)
    try:
        yield registry
    finally:
        await registry.close()
