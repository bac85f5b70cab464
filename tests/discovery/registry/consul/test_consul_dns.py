"""The DNS of a real Consul agent, through discovery and through gRPC itself."""

import json
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import grpc
import pytest
import pytest_asyncio

import discovery
from discovery.clock import SystemClock
from discovery.registry.consul.registry import ConsulRegistry
from discovery.registry.dns import DnsWatcher
from discovery.registry.instance import Instance
from discovery.registry.name_server import NameServer
from discovery.registry.protocols import RegistryError
from scripts.suite.consul import ConsulAgent, free_ports
from tests.support.discovery.probe_service import SERVING, Probe, Start, path

NAME = "probe.service.consul"
ROUND_ROBIN = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})


@pytest.fixture(scope="module")
def dns_port() -> int:
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def agent(dns_port: int) -> Iterator[ConsulAgent]:
    """An agent that answers DNS."""
    agent = ConsulAgent(hcl=f"ports {{ dns = {dns_port} }}")
    agent.start()
    yield agent
    agent.kill()


@pytest_asyncio.fixture
async def registry(agent: ConsulAgent) -> AsyncIterator[ConsulRegistry]:
    """Consul's registry without instances."""
    registry = ConsulRegistry(agent.address, clock=SystemClock(), rng=random.Random(1))
    yield registry
    for instance in await registry.lookup("probe"):
        await registry.deregister(instance)
    await registry.close()


def instance_of(server: Probe) -> Instance:
    return Instance(server.name, "probe", server.host, server.port, incarnation=server.name)


@pytest.fixture
def serve(start: Start, registry: ConsulRegistry) -> Start:
    """Starts a server that the agent lists, because it says SERVING."""

    async def serve_one(name: str, **options: Any) -> Probe:
        server = await start(name, health=SERVING, **options)
        await registry.register(instance_of(server))
        return server

    return serve_one


def watcher(address: str, dns_port: int) -> DnsWatcher:
    """What a channel to `dns://127.0.0.1:<dns_port>/<address>` watches."""
    ask = NameServer(f"127.0.0.1:{dns_port}")
    return DnsWatcher(address, clock=SystemClock(), rng=random.Random(1), ask=ask)


async def listed(address: str, dns_port: int, wanted: set[tuple[str, int]]) -> list[Instance]:
    """What DNS lists, once these are its addresses and ports: its answers follow registrations."""
    asked = watcher(address, dns_port)
    while True:
        with suppress(RegistryError):
            found = await asked.lookup(address)
            if {(one.address, one.port) for one in found} == wanted:
                return list(found)


async def test_srv_records_name_every_instance_with_its_port(dns_port: int, serve: Start) -> None:
    """All instances are found with addresses and ports, although Consul's UDP answers name three.

    Ids, tags and metadata stay unknown.
    """
    servers = [await serve(f"probe-{number}") for number in range(5)]

    found = await listed(NAME, dns_port, {(server.host, server.port) for server in servers})

    assert len(found) == 5
    assert all(one.instance_id == one.endpoint for one in found)


async def test_a_name_with_a_port_has_addresses_alone(dns_port: int, serve: Start) -> None:
    """With a port in the target only addresses are asked for, and every instance has that port."""
    servers = [await serve(host, host=host) for host in ("127.0.0.2", "127.0.0.3")]

    found = await listed(f"{NAME}:7", dns_port, {(server.host, 7) for server in servers})

    assert [one.endpoint for one in found] == ["127.0.0.2:7", "127.0.0.3:7"]


async def test_a_name_without_instances_is_a_registry_error(
    registry: ConsulRegistry, dns_port: int
) -> None:
    """A service without instances has no name at all, so a channel keeps its last list."""
    del registry
    with pytest.raises(RegistryError, match=rf"{NAME} can't be resolved: 127.0.0.1:{dns_port} "):
        await watcher(NAME, dns_port).lookup(NAME)


async def test_a_drain_fails_no_call(registry: ConsulRegistry, dns_port: int, serve: Start) -> None:
    """A channel moves to the instances that are left, without a failed call."""
    leaving, staying = await serve("leaving"), await serve("staying")
    await listed(NAME, dns_port, {(one.host, one.port) for one in (leaving, staying)})
    async with discovery.open_channel(f"dns://127.0.0.1:{dns_port}/{NAME}") as channel:
        post = channel.unary_unary(path("Post"))
        answers = set()
        while answers != {b"leaving:x", b"staying:x"}:
            answers.add(await post(b"x", timeout=60))
        await registry.deregister(instance_of(leaving))
        await leaving.stop()
        for _ in range(20):
            assert await post(b"x", timeout=60) == b"staying:x"


async def test_grpc_itself_asks_the_agent(dns_port: int, serve: Start) -> None:
    """A plain grpc.aio channel takes the addresses from the agent, and the port from its target."""
    first = await serve("first", host="127.0.0.2")
    second = await serve("second", host="127.0.0.3", port=first.port)
    name = f"{NAME}:{first.port}"
    await listed(name, dns_port, {(one.host, one.port) for one in (first, second)})
    async with grpc.aio.insecure_channel(
        f"dns://127.0.0.1:{dns_port}/{name}",
        options=[("grpc.service_config", ROUND_ROBIN)],
    ) as channel:
        post = channel.unary_unary(path("Post"))
        answers = set()
        while answers != {b"first:x", b"second:x"}:
            answers.add(await post(b"x", timeout=60))


def test_a_server_is_named_by_its_ip_address() -> None:
    """A DNS server can't be found by name, as no server could be asked for it."""
    with pytest.raises(ValueError, match="must be an IP address, not consul"):
        NameServer("consul:8600")
