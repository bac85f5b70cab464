"""`python -m services.edge` as an operator runs it, with a real Consul and a real Envoy."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from discovery.registry.consul.registry import ConsulRegistry
from scripts.suite.consul import ConsulAgent, free_ports
from scripts.suite.issuer import AUDIENCE, ISSUER
from services.chassis.server.program import WRONG_SETTINGS
from tests.support.discovery.consul_agent import consul_agent
from tests.support.edge.answering_server import AnsweringServer, answering_server
from tests.support.edge.running_edge import CLOCK, instance_at, program_environment
from tests.support.limits import WAIT_S
from tests.support.suite.programs import ProgramResult, run
from tests.support.suite.service_process import service_process


@pytest.fixture
def consul() -> Iterator[ConsulAgent]:
    with consul_agent() as agent:
        yield agent


@pytest_asyncio.fixture
async def payments() -> AsyncIterator[AnsweringServer]:
    """What answers as the payment service: an empty message."""
    async with answering_server("") as server:
        yield server


async def test_the_edge_as_a_program(
    consul: ConsulAgent, payments: AnsweringServer, tmp_path: Path
) -> None:
    """It serves what Consul lists, logs each request, starts a killed Envoy again, and stops."""
    registry = ConsulRegistry(consul.address, clock=CLOCK, rng=random.Random(1))
    await registry.register(instance_at("payment", payments.endpoint))
    await registry.close()
    (port,) = free_ports(1)
    environment = program_environment(consul.address, port)
    async with service_process("edge", environment, log=tmp_path / "errors") as edge:
        started = await edge.line("envoy_started")
        assert await _until_served(port) == "{}"
        while (request := await edge.line("request"))["status"] != 200:
            pass
        assert (request["method"], request["path"]) == ("GET", "/v1/payments/pay_1")
        assert (request["translated_from"], request["target"]) == ("rest", "payment")
        assert request["endpoint"] == payments.endpoint
        assert request["correlation_id"] == "my-request"
        os.kill(started["pid"], signal.SIGKILL)
        assert (await edge.line("envoy_ended"))["status"] == -signal.SIGKILL
        again = await edge.line("envoy_started")
        assert again["pid"] != started["pid"]
        assert await _until_served(port) == "{}"
        assert await edge.stop() == 0
        assert not _runs(again["pid"])


async def test_envoy_ends_with_a_killed_edge(consul: ConsulAgent) -> None:
    """An edge that is killed leaves no Envoy behind, which would hold its port."""
    (port,) = free_ports(1)
    environment = program_environment(consul.address, port)
    async with service_process("edge", environment) as edge:
        await edge.line("envoy_started")
        edge.process.kill()
        # The output ends when nobody holds it any more, which Envoy does while it runs.
        assert await edge.end() == -signal.SIGKILL


async def test_a_missing_envoy_is_named() -> None:
    """Without the Envoy program the edge doesn't start, and names the setting."""
    environment = {"TRADEPOST_EDGE_ENVOY": "/nowhere/envoy"}
    async with service_process("edge", environment) as edge:
        line = await edge.line("cannot_start")
        assert line["setting"] == "TRADEPOST_EDGE_ENVOY"
        assert await edge.end() == WRONG_SETTINGS


async def test_an_edge_waits_for_its_certificates(tmp_path: Path) -> None:
    """While Consul, from which they come, isn't there, it says so and can be stopped."""
    (nobody,) = free_ports(1)
    environment = {
        "CONSUL_HTTP_ADDR": f"127.0.0.1:{nobody}",
        "TRADEPOST_TLS": "consul",
        "TRADEPOST_JWKS_URL": (tmp_path / "jwks.json").as_uri(),
        "TRADEPOST_TOKEN_ISSUER": ISSUER,
        "TRADEPOST_TOKEN_AUDIENCE": AUDIENCE,
    }
    async with service_process("edge", environment) as edge:
        line = await edge.line("waiting_for_consul")
        assert line["setting"] == "CONSUL_HTTP_ADDR"
        assert await edge.stop() == 0


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def _until_served(port: int) -> str:
    """The answer of a REST call by curl, once the edge serves the method."""
    url = f"http://127.0.0.1:{port}/v1/payments/pay_1"
    async with asyncio.timeout(WAIT_S):
        while (answer := await _curl(url)).code:
            pass
    return answer.out


async def _curl(url: str) -> ProgramResult:
    return await run("curl", "--silent", "--fail", "-H", "x-correlation-id: my-request", url)
