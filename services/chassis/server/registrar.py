"""Opens the registry that a service registers with."""

import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from discovery.clock import Clock
from discovery.registry.consul.registry import ConsulRegistry
from discovery.registry.protocols import Registrar
from services.chassis.environment import SettingError
from services.chassis.server.settings import RegistrySettings, ServerSettings

_VARIABLE = re.compile(r"CONSUL_\w+")


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
    try:
        registry = ConsulRegistry.from_environment(settings.address, clock=clock, rng=rng)
    except ValueError as error:
        named = _VARIABLE.search(str(error))
        raise SettingError(named[0] if named else "CONSUL_HTTP_ADDR", str(error)) from error
    try:
        yield registry
    finally:
        await registry.close()
