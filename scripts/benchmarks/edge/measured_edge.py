"""What is measured: Consul with DNS, instances, the edge, and a client for each way to them."""

import asyncio
import json
import random
import shutil
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from discovery.clock import Clock
from discovery.registry.consul.registry import ConsulRegistry
from scripts.benchmarks.edge import ways
from scripts.benchmarks.edge.client_process import ClientProcess, client_process
from scripts.benchmarks.shared import machine
from scripts.suite.cluster import START_TIMEOUT_S, Cluster
from scripts.suite.consul import ConsulAgent, free_ports
from scripts.suite.processes.slot import UNSHARED, ProcessSlot
from scripts.suite.run_folder import StartError, only_user
from scripts.tools.paths import ROOT, envoy_path

INSTANCES = 3
_INSTANCE = "scripts.benchmarks.edge.programs.shop_instance"
_LOOPBACK = "127.0.0.1"
# As a limit that no run reaches, so that the filter has its usual work.
_NO_LIMIT = "100000000"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens; the instances of `order` share a port, each at its own address."""

    dns: int
    order: int
    edge: int
    admin: int
    xds: int


@dataclass(frozen=True, slots=True)
class MeasuredEdge:
    """Running processes: the instances and the edge, and clients by the way they find instances."""

    suite: Cluster
    edge: ProcessSlot
    ports: Ports
    clients: Mapping[str, ClientProcess]

    @property
    def orders(self) -> Sequence[ProcessSlot]:
        """The instances of `order`."""
        return [slot for slot in self.suite.slots if slot.service == "order"]

    @property
    def order_addresses(self) -> Sequence[str]:
        """`host:port` of each instance of `order`."""
        return [f"{_host(slot.number)}:{self.ports.order}" for slot in self.orders]

    @property
    def control_plane_pid(self) -> int:
        """The process of the control plane."""
        assert self.edge.process is not None  # noqa: S101 (it was started)
        return self.edge.process.pid

    @property
    def envoy_pid(self) -> int:
        """The process of Envoy, the only child of the control plane."""
        (pid,) = machine.children(self.control_plane_pid)
        return int(pid)


@asynccontextmanager
async def measured_edge(
    folder: Path, *, clock: Clock, rng: random.Random
) -> AsyncIterator[MeasuredEdge]:
    """Start everything, with logs in an empty `folder`; stop it at the end. Raises StartError."""
    with only_user(folder):
        await asyncio.to_thread(_empty, folder / "logs")
        async with AsyncExitStack() as stop_steps:
            ports = Ports(*free_ports(5))
            suite = await _suite(stop_steps, folder, ports, clock=clock, rng=rng)
            edge = _edge(folder, suite.consul.address, ports)
            stop_steps.push_async_callback(edge.stop)
            await edge.start()
            await _listening(ports.edge, edge)
            clients = {
                way: await stop_steps.enter_async_context(_client(way, folder, suite, ports))
                for way in ways.WAYS
            }
            await asyncio.gather(*(client.open() for client in clients.values()))
            yield MeasuredEdge(suite, edge, ports, clients)


async def _suite(
    stop_steps: AsyncExitStack, folder: Path, ports: Ports, *, clock: Clock, rng: random.Random
) -> Cluster:
    agent = ConsulAgent(
        hcl=f"ports {{ dns = {ports.dns} }}", log_file=folder / "logs" / "consul.log"
    )
    await asyncio.to_thread(agent.start)
    stop_steps.push_async_callback(asyncio.to_thread, agent.kill)
    registry = ConsulRegistry(agent.address, clock=clock, rng=rng)
    stop_steps.push_async_callback(registry.close)
    orders = range(1, INSTANCES + 1)
    slots = [_slot(folder, agent.address, "order", number, ports.order) for number in orders]
    slots.append(_slot(folder, agent.address, "inventory", 1, 0))
    stop_steps.push_async_callback(_stop, slots)
    for slot in slots:
        await slot.start()
    suite = Cluster(agent, registry, clock, folder, slots)
    await suite.wait_registered()
    return suite


async def _stop(slots: Iterable[ProcessSlot]) -> None:
    await asyncio.gather(*(slot.stop() for slot in slots))


def _slot(folder: Path, consul: str, service: str, number: int, port: int) -> ProcessSlot:
    environment = {
        "CONSUL_HTTP_ADDR": consul,
        "TRADEPOST_HOST": _host(number),
        "TRADEPOST_PORT": str(port),
        "TRADEPOST_INSTANCE_ID": f"{service}-{number}",
    }
    log = folder / "logs" / f"{service}-{number}.log"
    return ProcessSlot(service, number, _INSTANCE, log, environment, UNSHARED)


def _host(number: int) -> str:
    """An address of an instance: A records tell addresses alone, so ports must be equal."""
    return f"127.0.0.{1 + number}"


def _edge(folder: Path, consul: str, ports: Ports) -> ProcessSlot:
    environment = {
        "CONSUL_HTTP_ADDR": consul,
        "TRADEPOST_EDGE_PORT": str(ports.edge),
        "TRADEPOST_EDGE_ADMIN_PORT": str(ports.admin),
        "TRADEPOST_EDGE_XDS_PORT": str(ports.xds),
        "TRADEPOST_EDGE_ENVOY": str(envoy_path()),
        "TRADEPOST_EDGE_FIRST_INSTANCES_S": "0",
        "TRADEPOST_EDGE_READ_PER_MINUTE": _NO_LIMIT,
        "TRADEPOST_EDGE_LIST_PER_MINUTE": _NO_LIMIT,
    }
    log = folder / "logs" / "edge.log"
    return ProcessSlot("edge", 1, "services.edge", log, environment, UNSHARED)


async def _listening(port: int, edge: ProcessSlot) -> None:
    async with grpc.aio.insecure_channel(f"{_LOOPBACK}:{port}") as channel:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await channel.channel_ready()
        except TimeoutError:
            raise StartError(f"the edge doesn't listen:\n{edge.tail()}") from None


@asynccontextmanager
async def _client(
    way: str, folder: Path, suite: Cluster, ports: Ports
) -> AsyncIterator[ClientProcess]:
    agent = f"dns://{_LOOPBACK}:{ports.dns}/order.service.consul"
    target = {
        ways.CLIENT: f"consul://{suite.consul.address}/order",
        ways.ENVOY: f"{_LOOPBACK}:{ports.edge}",
        ways.DNS_SRV: agent,
        ways.DNS_A: f"{agent}:{ports.order}",
        ways.XDS: "xds:///order",
    }[way]
    environment = {
        "PYTHONPATH": str(ROOT / "generated"),
        "GRPC_XDS_BOOTSTRAP": str(_xds_bootstrap(folder, ports.xds)),
    }
    log = folder / "logs" / f"client-{way}.log"
    async with client_process(way, target, INSTANCES, log=log, environment=environment) as client:
        yield client


def _xds_bootstrap(folder: Path, port: int) -> Path:
    """The file that tells gRPC's own clients where the control plane is."""
    server = {"server_uri": f"{_LOOPBACK}:{port}", "channel_creds": [{"type": "insecure"}]}
    file = folder / "xds.json"
    file.write_text(json.dumps({"xds_servers": [server], "node": {"id": "bench", "locality": {}}}))
    return file


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
