"""Two living processes never share an instance id, and a dead one keeps none."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from discovery.clock import SystemClock
from discovery.registry.consul.registry import ConsulRegistry
from discovery.registry.instance import Instance
from tests.support.chassis.echo_service import echo_server
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent
from tests.support.limits import WAIT_S
from tests.support.suite.service_process import ServiceProcess, service_process

WRONG_SETTINGS = 78
ID = "inventory-1"


@pytest.fixture
def agent() -> Iterator[ConsulAgent]:
    """A Consul agent of the test."""
    with consul_agent() as running:
        yield running


@asynccontextmanager
async def inventory(
    agent: ConsulAgent, folder: Path, *, port: int = 0
) -> AsyncIterator[ServiceProcess]:
    """An inventory service with the id of all tests."""
    environment = {
        "DATABASE_URL": f"sqlite:///{folder}/inventory.db",
        "CONSUL_HTTP_ADDR": agent.address,
        "TRADEPOST_REGISTRY": "consul",
        "TRADEPOST_INSTANCE_ID": ID,
        "TRADEPOST_PORT": str(port),
    }
    async with service_process("inventory", environment) as service:
        yield service


@asynccontextmanager
async def registry_of(agent: ConsulAgent) -> AsyncIterator[ConsulRegistry]:
    """The agent, as a registry."""
    registry = ConsulRegistry(agent.address, clock=SystemClock(), rng=random.Random(1))
    try:
        yield registry
    finally:
        await registry.close()


def inventory_at(server: Instance) -> Instance:
    """An inventory instance with the id of all tests, at the address of this server."""
    return replace(server, instance_id=ID, service="inventory")


async def registered_port(registry: ConsulRegistry, port: int) -> None:
    """Return once the service is registered with this port."""
    async with asyncio.timeout(WAIT_S):
        async for instances in registry.watch("inventory"):
            if [instance.port for instance in instances] == [port]:
                return


async def test_a_start_with_the_id_of_a_living_process_is_refused(
    agent: ConsulAgent, tmp_path: Path
) -> None:
    """The line names both addresses and the setting, and the first process stays registered."""
    async with registry_of(agent) as registry, inventory(agent, tmp_path) as first:
        port = (await first.line("serving"))["port"]
        await registered_port(registry, port)

        async with inventory(agent, tmp_path) as second:
            status = await second.end()

        line = second.lines[-1]
        assert (status, line["event"], line["level"]) == (WRONG_SETTINGS, "cannot_start", "error")
        assert line["setting"] == "TRADEPOST_INSTANCE_ID"
        assert f"of inventory at 127.0.0.1:{port}, which serves" in line["cause"]
        assert "this one, of inventory at 127.0.0.1:" in line["cause"]
        (instance,) = await registry.lookup("inventory")
        assert instance.port == port


async def test_the_registration_of_a_killed_process_is_replaced_at_once(
    agent: ConsulAgent, tmp_path: Path
) -> None:
    """A restarted process registers while the agent still lists the killed one as healthy."""
    async with registry_of(agent) as registry, inventory(agent, tmp_path) as first:
        port = (await first.line("serving"))["port"]
        await registered_port(registry, port)
        first.process.kill()
        await first.process.wait()

        async with inventory(agent, tmp_path) as second:
            second_port = (await second.line("serving"))["port"]
            await registered_port(registry, second_port)
            assert await second.stop() == 0


async def test_the_registration_of_a_killed_process_whose_port_another_one_took_is_replaced(
    agent: ConsulAgent, tmp_path: Path
) -> None:
    """Another process that serves at the address doesn't count: its incarnation is another."""
    async with registry_of(agent) as registry, echo_server() as other:
        killed = replace(inventory_at(other.server.instance), incarnation="inc_of_the_killed_one")
        await registry.register(killed)

        async with inventory(agent, tmp_path) as service:
            port = (await service.line("serving"))["port"]
            await registered_port(registry, port)


async def test_a_process_whose_id_is_taken_later_says_so_and_replaces_nobody(
    agent: ConsulAgent, tmp_path: Path
) -> None:
    """Both addresses and the setting are logged again and again; the other stays registered."""
    async with (
        registry_of(agent) as registry,
        inventory(agent, tmp_path) as service,
        echo_server() as other,
    ):
        port = (await service.line("serving"))["port"]
        await registered_port(registry, port)
        await registry.register(inventory_at(other.server.instance))

        lines = [await service.line_at("error") for _ in range(2)]

        (instance,) = await registry.lookup("inventory")
        assert instance.port == other.server.port
    assert all(
        f"at 127.0.0.1:{other.server.port}, which serves" in line["message"] for line in lines
    )
    assert all(f"at 127.0.0.1:{port}, stays unregistered" in line["message"] for line in lines)
    assert all("TRADEPOST_INSTANCE_ID" in line["message"] for line in lines)


async def test_an_id_is_taken_back_when_the_other_process_has_ended(
    agent: ConsulAgent, tmp_path: Path
) -> None:
    """A process that was unregistered registers as soon as the other doesn't serve any more."""
    async with registry_of(agent) as registry, inventory(agent, tmp_path) as service:
        port = (await service.line("serving"))["port"]
        await registered_port(registry, port)
        async with echo_server() as other:
            await registry.register(inventory_at(other.server.instance))
            await service.line_at("error")

        await registered_port(registry, port)
