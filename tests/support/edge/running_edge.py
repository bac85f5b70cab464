"""A real Envoy with its control plane, over a registry that the test writes."""

import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import grpc

from discovery.clock import SystemClock
from discovery.registry.instance import Instance
from discovery.registry.memory import MemoryRegistry
from scripts.suite.consul import free_ports
from scripts.tools.paths import envoy_path
from services.edge.bootstrap import bootstrap, unix_socket
from services.edge.contract.contract import Contract, read
from services.edge.control_plane.envoy_publisher import CertificateSources
from services.edge.control_plane.state import State
from services.edge.edge import control_plane
from services.edge.envoy import EnvoyProcess, kept_running
from services.edge.resources.filters.token_check import AcceptedTokens
from services.edge.settings import EdgeSettings

CLOCK = SystemClock()
_WITHOUT_TLS = CertificateSources()
_NO_LIMITS = dict.fromkeys(
    ("read_per_minute", "list_per_minute", "write_per_minute", "watch_per_minute"), 0
)


@dataclass(frozen=True, slots=True)
class RunningEdge:
    """An edge that listens; `channel` is a gRPC channel to it without any policy of its own."""

    settings: EdgeSettings
    registry: MemoryRegistry
    state: State
    envoy: EnvoyProcess
    channel: grpc.aio.Channel
    contract: Contract
    connector: aiohttp.BaseConnector | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.settings.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"


def instance_at(service: str, endpoint: str, name: str = "") -> Instance:
    """The instance of a service that listens at `host:port`."""
    host, _, port = endpoint.rpartition(":")
    return Instance(name or f"{service}-{port}", service, host, int(port), incarnation=endpoint)


def program_environment(consul: str, port: int, **more: str) -> dict[str, str]:
    """What `python -m services.edge` reads to serve at this port, before any instance is known."""
    return {
        "CONSUL_HTTP_ADDR": consul,
        "TRADEPOST_EDGE_PORT": str(port),
        "TRADEPOST_EDGE_ENVOY": str(envoy_path()),
        "TRADEPOST_EDGE_FIRST_INSTANCES_S": "0",
        "TRADEPOST_EDGE_CONCURRENCY": "1",
        **more,
    }


def settings_at_free_ports(**changes: object) -> EdgeSettings:
    """The settings of an edge that writes no log and limits no caller, with these changes.

    Tests that ask until something has happened may ask more often than any person.
    """
    port, admin_port = free_ports(2)
    given = {
        "port": port,
        "admin_port": admin_port,
        "access_log": False,
        "concurrency": 1,
        # Most tests have instances of one service only.
        "first_instances_s": 0,
    }
    return EdgeSettings.model_validate({**given, **_NO_LIMITS, **changes})


def edge_of(settings: EdgeSettings, registry: MemoryRegistry) -> dict[str, Any]:
    """The arguments of a control plane besides its addresses."""
    return {
        "contract": read(),
        "settings": settings,
        "watcher": registry,
        "clock": CLOCK,
        "rng": random.Random(3),
    }


@asynccontextmanager
async def envoy_at(socket: Path, settings: EdgeSettings) -> AsyncIterator[EnvoyProcess]:
    """Keep an Envoy running that asks for its configuration at the socket."""
    envoy = EnvoyProcess(
        envoy_path(),
        bootstrap(unix_socket(str(socket)), node="edge", settings=settings),
        concurrency=settings.concurrency,
    )
    async with kept_running(envoy, clock=CLOCK, rng=random.Random(4)):
        yield envoy


def _channel(port: int, certificates: CertificateSources) -> grpc.aio.Channel:
    """A channel to the edge; a certificate that callers are shown names `localhost`."""
    if certificates.to_callers is None:
        return grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    credentials = grpc.ssl_channel_credentials(certificates.to_callers.current.roots)
    return grpc.aio.secure_channel(f"localhost:{port}", credentials)


@asynccontextmanager
async def running_edge(
    folder: Path,
    instances: Iterable[Instance],
    *,
    settings: EdgeSettings | None = None,
    tokens: AsyncIterator[AcceptedTokens] | None = None,
    certificates: CertificateSources = _WITHOUT_TLS,
) -> AsyncIterator[RunningEdge]:
    """Run an edge until the block ends; it listens when the block begins."""
    settings = settings or settings_at_free_ports()
    registry, socket = MemoryRegistry(), folder / "xds.sock"
    for instance in instances:
        await registry.register(instance)
    arguments = edge_of(settings, registry)
    async with (
        control_plane(
            [f"unix:{socket}"],
            **arguments,
            tokens=tokens,
            certificates=certificates,
        ) as state,
        envoy_at(socket, settings) as envoy,
        _channel(settings.port, certificates) as channel,
    ):
        await channel.channel_ready()
        yield RunningEdge(settings, registry, state, envoy, channel, arguments["contract"])
