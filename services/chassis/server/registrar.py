"""Opens the registry that a service registers with."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from discovery.clock import Clock
from discovery.registry.consul.registry import ConsulRegistry
from discovery.registry.protocols import Registrar
from services.chassis.identity.consul_connect import agent_address
from services.chassis.server.settings import RegistrySettings, ServerSettings


@asynccontextmanager
async def registrar_of(
    settings: RegistrySettings, server: ServerSettings, *, clock: Clock, rng: random.Random
) -> AsyncIterator[Registrar | None]:
    """Yield the Consul agent of the settings, or None if they turn registration off.

    Token, certificates and all else that the agent needs are read from the environment by the same
    function as for channels. The agent's connections are closed when the block ends. Raises
    SettingError for a value that can't be used, and for an instance that callers couldn't dial.
    """
    if settings.kind == "none":
        yield None
        return
    server.check_address()
    registry = ConsulRegistry(agent_address(settings.address), clock=clock, rng=rng)
    try:
        yield registry
    finally:
        await registry.close()
