"""`python -m services.edge` runs the edge: the control plane, and an Envoy that it looks after."""

import asyncio
import random
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

from discovery.clock import Clock, SystemClock
from discovery.registry.consul.registry import ConsulRegistry
from services.chassis.environment import SettingError, read
from services.chassis.identity.consul_connect import agent_address
from services.chassis.identity.settings import TokenSettings
from services.chassis.server import program
from services.chassis.telemetry import logs
from services.edge.accepted_tokens import accepted_tokens
from services.edge.bootstrap import bootstrap, unix_socket
from services.edge.contract.contract import read as read_contract
from services.edge.edge import check_applications, control_plane
from services.edge.envoy import EnvoyProcess, kept_running, program_of
from services.edge.own_certificates import NAME, own_certificates
from services.edge.resources.filters.token_check import AcceptedTokens
from services.edge.settings import EdgeSettings

_LOOPBACK = "127.0.0.1"


async def main() -> None:
    """Run until a signal stops it. Raises SettingError."""
    settings, contract = read(EdgeSettings), read_contract()
    logs.identify(service=NAME, instance=settings.instance)
    check_applications(settings, contract)
    clock, rng = SystemClock(), random.Random()
    log = logs.get_logger("edge")
    certificates = await own_certificates(settings.host, clock=clock, rng=rng)
    stop = asyncio.Event()
    with program.on_first_signal(stop.set):
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-")))
            settings = _with_cache(settings, folder / "cache")
            socket = folder / "xds.sock"
            addresses = [f"unix:{socket}"]
            if settings.xds_port:
                addresses.append(f"{_LOOPBACK}:{settings.xds_port}")
            await stack.enter_async_context(
                control_plane(
                    addresses,
                    contract=contract,
                    settings=settings,
                    watcher=ConsulRegistry(agent_address(), clock=clock, rng=rng),
                    clock=clock,
                    rng=rng,
                    tokens=_tokens(clock),
                    certificates=certificates,
                )
            )
            if settings.envoy:
                envoy = _envoy(settings, socket)
                await stack.enter_async_context(kept_running(envoy, clock=clock, rng=rng))
            log.info("serving", port=settings.port)
            await stop.wait()
    log.info("stopped")


def _tokens(clock: Clock) -> AsyncIterator[AcceptedTokens] | None:
    """Return which tokens are accepted, as they change; None if nobody is asked for one."""
    settings = read(TokenSettings)
    return accepted_tokens(settings, clock=clock) if settings.jwks_url else None


def _with_cache(settings: EdgeSettings, folder: Path) -> EdgeSettings:
    """Return the settings with a folder for the cache, which exists. Raises SettingError."""
    chosen = settings.model_copy(update={"cache_folder": settings.cache_folder or str(folder)})
    try:
        Path(chosen.cache_folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError("TRADEPOST_EDGE_CACHE_FOLDER", f"can't be made: {error}") from error
    return chosen


def _envoy(settings: EdgeSettings, socket: Path) -> EnvoyProcess:
    return EnvoyProcess(
        program_of(settings.envoy),
        bootstrap(unix_socket(str(socket)), node="edge", settings=settings),
        concurrency=settings.concurrency,
    )


if __name__ == "__main__":
    sys.exit(program.run(main, service=NAME))
