"""Opens the registry that a service registers with."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from discovery.clock import Clock
from discovery.registry.consul.client import AgentAddress
from discovery.registry.consul.registry import ConsulRegistry
from discovery.registry.protocols import Registrar
from services.chassis.server.settings import RegistrySettings


@asynccontextmanager
async def registrar_of(
    settings: RegistrySettings, *, clock: Clock, rng: random.Random
) -> AsyncIterator[Registrar | None]:
    """Yield the Consul agent of the settings, or None if they name no registry.

    The agent's connections are closed when the block ends. Raises ValueError for an invalid
    address.
    """
    if settings.kind == "none" or not settings.address:
        yield None
        return
    address = AgentAddress.parse(
        settings.address, token=settings.token or None, ca_file=settings.ca_certificate or None
    )
    registry = ConsulRegistry(address, clock=clock, rng=rng)
    try:
        yield registry
    finally:
        await registry.close()
