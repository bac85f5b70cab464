"""A service as an operator starts it in the secure mode, with certificates from a real Consul."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from tradepost.inventory.v1 import inventory_service_pb2
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub

import discovery
from discovery.clock import SystemClock
from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.client import agent_client
from discovery.registry.consul.consul_certificates import ConsulCertificates
from discovery.registry.consul.registry import CheckSettings, ConsulRegistry
from scripts.suite.issuer import AUDIENCE, ISSUER, Issuer
from tests.support.certificates.authority import Authority
from tests.support.certificates.memory_source import MemoryCertificates
from tests.support.chassis.rich_status import refusal
from tests.support.chassis.secure_echo import SERVICE, secure_echo
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent
from tests.support.discovery.intentions import IntentionWriter
from tests.support.discovery.starting_agent import NO_AUTHORITY, starting_agent
from tests.support.limits import WAIT_S
from tests.support.suite.service_process import service_process

Code = grpc.StatusCode


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    """One agent for all tests in this file."""
    with consul_agent() as running:
        yield running


@asynccontextmanager
async def inventory_for(agent: ConsulAgent, caller: str) -> AsyncIterator[InventoryServiceStub]:
    """Open a channel to the inventory that shows the certificate of `caller`."""
    address = AgentAddress.parse(agent.address, token=None, ca_file=None)
    certificates = await ConsulCertificates.fetch(
        caller, address=address, clock=SystemClock(), rng=random.Random(7)
    )
    async with discovery.open_channel(
        f"consul://{agent.address}/inventory", certificates=certificates
    ) as channel:
        yield InventoryServiceStub(channel)


async def test_services_know_each_other_by_consuls_certificates(
    tmp_path: Path, agent: ConsulAgent
) -> None:
    """A caller that an intention allows is answered by the contract; another one is refused."""
    await IntentionWriter(agent.address).write("order", "inventory", allowed=True)
    unknown = inventory_service_pb2.GetStockRequest(sku="nothing")
    async with (
        service_process("inventory", _environment(tmp_path, agent.address)) as service,
        inventory_for(agent, "order") as for_order,
        inventory_for(agent, "stranger") as for_stranger,
    ):
        await service.line("serving")
        answered = await refusal(for_order.GetStock(unknown, wait_for_ready=True))
        refused = await refusal(for_stranger.GetStock(unknown, wait_for_ready=True))

    assert (answered.code, answered.reason) == (Code.NOT_FOUND, "ITEM_NOT_FOUND")
    assert (refused.code, refused.reason) == (Code.PERMISSION_DENIED, "PEER_DENIED")


async def test_a_service_waits_for_an_authority_that_starts(
    tmp_path: Path, agent: ConsulAgent
) -> None:
    """Beside a Consul that was just started it logs why it waits, and serves some moments later."""
    async with (
        starting_agent(agent, NO_AUTHORITY) as address,
        service_process("inventory", _environment(tmp_path, address)) as service,
    ):
        warning = await service.line_at("warning")
        await service.line("serving")

    assert "waiting for Consul's authority to start" in warning["message"]
    assert NO_AUTHORITY[0] in warning["message"]


def _environment(folder: Path, consul: str) -> dict[str, str]:
    """The settings of a secure inventory service."""
    jwks = folder / "jwks.json"
    Issuer(clock=SystemClock()).write_jwks(jwks)
    return {
        "DATABASE_URL": f"sqlite:///{folder}/db",
        "CONSUL_HTTP_ADDR": consul,
        "TRADEPOST_REGISTRY": "consul",
        "TRADEPOST_TLS": "consul",
        "TRADEPOST_JWKS_URL": jwks.as_uri(),
        "TRADEPOST_TOKEN_ISSUER": ISSUER,
        "TRADEPOST_TOKEN_AUDIENCE": AUDIENCE,
    }


async def test_consul_checks_a_secure_instance_without_a_certificate(agent: ConsulAgent) -> None:
    """The registered check asks the health port, and passes."""
    registry = ConsulRegistry(
        agent.address,
        clock=SystemClock(),
        rng=random.Random(7),
        check=CheckSettings(interval_s=0.2),
    )
    certificates = MemoryCertificates(Authority().issue(SERVICE))
    address = AgentAddress.parse(agent.address, token=None, ca_file=None)
    async with (
        asyncio.timeout(WAIT_S),
        secure_echo(certificates, registrar=registry) as server,
        agent_client(address) as client,
    ):
        output = ""
        while not output:  # registered, and asked for the first time
            checks = (await client.get("/v1/agent/checks")).data.values()
            output = "".join(check["Output"] for check in checks if check["ServiceName"] == SERVICE)
    await registry.close()

    assert server.instance.health_endpoint in output
    assert "success" in output
