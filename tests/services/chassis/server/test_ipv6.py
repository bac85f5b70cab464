"""IPv6 addresses, plain or in brackets: a server listens, registers, is checked and is called."""

import random
from typing import Any

import pytest

import discovery
from discovery.clock import SystemClock
from discovery.registry.consul.client import agent_client
from discovery.registry.consul.registry import CheckSettings, ConsulRegistry
from scripts.suite.consul import ConsulAgent
from services.chassis.server.settings import ServerSettings
from tests.support.chassis.echo_service import Echo, echo_server
from tests.support.discovery.consul_agent import consul_agent

CLOCK = SystemClock()


@pytest.fixture(scope="module")
def agent() -> Any:
    """A Consul agent of this module."""
    with consul_agent() as agent:
        yield agent


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "::1"},
        {"host": "[::1]"},
        {"host": "0:0:0:0:0:0:0:1"},
        {"host": "::", "advertise_address": "::1"},
        {"host": "[::]", "advertise_address": "[::1]"},
    ],
    ids=str,
)
async def test_a_server_on_ipv6_is_registered_checked_and_called(
    agent: ConsulAgent, settings: dict[str, str]
) -> None:
    """The agent's own health check and a caller that resolves the name both reach it."""
    registry = ConsulRegistry(
        agent.address, clock=CLOCK, rng=random.Random(1), check=CheckSettings(interval_s=0.2)
    )
    async with echo_server(registrar=registry, settings=settings) as echo:
        (instance,) = [each async for each in _first(registry)]
        await _wait_checked(registry, instance.instance_id)
        async with discovery.open_channel(f"consul://{agent.address}/echo") as channel:
            answer = await Echo(echo.server, channel).unary("hi")
        async with discovery.open_channel(f"static:///{instance.endpoint}") as channel:
            fixed = await Echo(echo.server, channel).unary("hi")
    await registry.close()

    assert not set(instance.address) & set("[]")
    assert instance.endpoint == f"[{instance.address}]:{echo.server.port}"
    assert (answer.value, fixed.value) == ("hi", "hi")


async def _first(registry: ConsulRegistry) -> Any:
    """Yield the instances of the first list that has some."""
    async for instances in registry.watch("echo"):
        if instances:
            for instance in instances:
                yield instance
            return


async def _wait_checked(registry: ConsulRegistry, instance_id: str) -> None:
    """Return once the agent's own check has reached the instance."""
    async with agent_client(registry._address) as client:
        while True:
            checks = (await client.get("/v1/agent/checks")).data.values()
            (check,) = [each for each in checks if each["ServiceID"] == instance_id]
            if check["Output"]:
                assert check["Status"] == "passing", check["Output"]
                return
            await CLOCK.sleep(0.05)


@pytest.mark.parametrize(
    ("given", "host"),
    [("::1", "::1"), ("[::1]", "::1"), ("[fe80::1%eth0]", "fe80::1%eth0"), ("order", "order")],
)
def test_brackets_are_taken_off(given: str, host: str) -> None:
    """Settings hold the plain address, and the address to listen on has brackets again."""
    settings = ServerSettings(host=given, port=50051, advertise_address=given)

    assert (settings.host, settings.address) == (host, host)
    assert settings.listening_address == (f"[{host}]:50051" if ":" in host else f"{host}:50051")
