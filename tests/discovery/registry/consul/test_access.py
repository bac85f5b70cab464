"""Tokens, certificates and namespaces of a real Consul agent."""

import asyncio
import random
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from discovery.clock import SystemClock
from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.registry import CheckSettings, ConsulRegistry
from discovery.registry.instance import Instance
from discovery.registry.protocols import RegistryError
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent
from tests.support.suite.tools import consul_path

_NUMBERS = count()
_UNCHECKED = CheckSettings(interval_s=3600)


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    """One agent for all tests; each test has its own service."""
    with consul_agent() as running:
        yield running


@pytest.fixture
def order() -> Instance:
    """An instance of a service that no other test uses."""
    return Instance(
        instance_id="slot-1",
        service=f"order-{next(_NUMBERS)}",
        address="127.0.0.1",
        port=50051,
        tags=("v2",),
        meta={"version": "1.4.0", "protocol": "grpc"},
        weight=3,
        incarnation="first",
    )


@asynccontextmanager
async def _registry(
    address: str | AgentAddress, *, token: str | None = None, check: CheckSettings = _UNCHECKED
) -> AsyncIterator[ConsulRegistry]:
    registry = ConsulRegistry(
        address, token=token, clock=SystemClock(), rng=random.Random(7), check=check
    )
    try:
        yield registry
    finally:
        await registry.close()


async def _listed(registry: ConsulRegistry, order: Instance) -> None:
    """Wait until the catalogue has the instance: the agent tells it a moment later."""
    while await registry.lookup(order.service) != (order,):
        pass


async def test_acl_refusals_are_registry_errors(order: Instance) -> None:
    """Writes need a token, reads fail with a wrong one; the right one works for both."""
    master = "8d9a4c5e-7d0f-4b7e-9c53-2a1d4a0f8f11"
    tokens = f'tokens {{ master = "{master}", agent = "{master}" }}'
    acl = f'acl {{ enabled = true, default_policy = "deny", {tokens} }} primary_datacenter = "dc1"'
    with consul_agent(hcl=acl) as agent:
        async with _registry(agent.address) as registry:
            with pytest.raises(RegistryError, match="Permission denied"):
                await registry.register(order)
        async with _registry(agent.address, token="wrong") as registry:
            with pytest.raises(RegistryError, match="ACL not found"):
                await registry.lookup(order.service)
            with pytest.raises(RegistryError, match="ACL not found"):
                await anext(registry.watch(order.service))
        async with _registry(agent.address, token=master) as registry:
            await registry.register(order)
            await _listed(registry, order)


async def test_the_agent_s_certificate_is_verified(
    order: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With CONSUL_CACERT the agent is called over TLS; another CA's certificate is refused."""
    ca_file, settings = await asyncio.to_thread(_certificates, tmp_path)
    with consul_agent(hcl=settings, tls=True) as agent:
        monkeypatch.setenv("CONSUL_HTTP_ADDR", agent.address)
        monkeypatch.setenv("CONSUL_CACERT", str(ca_file))
        registry = ConsulRegistry.from_environment(clock=SystemClock(), rng=random.Random(1))
        await registry.register(order)
        await _listed(registry, order)
        await registry.close()
        monkeypatch.delenv("CONSUL_CACERT")
        distrusting = ConsulRegistry.from_environment(clock=SystemClock(), rng=random.Random(1))
        with pytest.raises(RegistryError, match="certificate"):
            await distrusting.lookup(order.service)


async def test_an_agent_that_verifies_its_clients(
    order: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers a client with a certificate; its own is checked unless that is switched off."""
    ca_file, settings = await asyncio.to_thread(_certificates, tmp_path)
    with consul_agent(hcl=f"{settings} verify_incoming_https = true", tls=True) as agent:
        monkeypatch.setenv("CONSUL_HTTP_ADDR", agent.address.removeprefix("https://"))
        monkeypatch.setenv("CONSUL_HTTP_SSL", "true")
        monkeypatch.setenv("CONSUL_CACERT", str(ca_file))

        async def lookup() -> tuple[Instance, ...]:
            registry = ConsulRegistry.from_environment(clock=SystemClock(), rng=random.Random(1))
            return await registry.lookup(order.service)

        with pytest.raises(RegistryError, match="certificate"):
            await lookup()
        monkeypatch.setenv("CONSUL_CLIENT_CERT", str(tmp_path / "dc1-client-consul-0.pem"))
        monkeypatch.setenv("CONSUL_CLIENT_KEY", str(tmp_path / "dc1-client-consul-0-key.pem"))
        assert await lookup() == ()
        monkeypatch.delenv("CONSUL_CACERT")
        with pytest.raises(RegistryError, match="certificate"):
            await lookup()
        monkeypatch.setenv("CONSUL_HTTP_SSL_VERIFY", "false")
        assert await lookup() == ()
        monkeypatch.setenv("CONSUL_CLIENT_KEY", "/nowhere/key.pem")
        with pytest.raises(RegistryError, match="can't be used"):
            await lookup()


async def test_a_namespace_that_the_agent_does_not_have(
    agent: ConsulAgent, order: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent without namespaces refuses the query, instead of answering with another one's."""
    monkeypatch.setenv("CONSUL_HTTP_ADDR", agent.address)
    monkeypatch.setenv("CONSUL_NAMESPACE", "shop")
    registry = ConsulRegistry.from_environment(clock=SystemClock(), rng=random.Random(1))

    with pytest.raises(RegistryError, match=r"(?i)namespace"):
        await registry.lookup(order.service)
    with pytest.raises(RegistryError, match=r"(?i)namespace"):
        await registry.register(order)
    await registry.close()


def _certificates(directory: Path) -> tuple[Path, str]:
    """A CA, a server's and a client's certificate by Consul's own tool, and an agent's settings."""
    for made in (["ca", "create"], ["cert", "create", "-server"], ["cert", "create", "-client"]):
        subprocess.run(
            [str(consul_path()), "tls", *made], cwd=directory, check=True, capture_output=True
        )
    settings = " ".join(
        f'{name} = "{directory / file}"'
        for name, file in (
            ("ca_file", "consul-agent-ca.pem"),
            ("cert_file", "dc1-server-consul-0.pem"),
            ("key_file", "dc1-server-consul-0-key.pem"),
        )
    )
    return directory / "consul-agent-ca.pem", settings
