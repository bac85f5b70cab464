"""Certificates of a real Consul agent's own authority."""

import asyncio
import logging
import random
import re
from collections.abc import Iterator

import pytest
from cryptography import x509

import discovery
from tests.support.certificates.consul_ca import rotate_root
from tests.support.certificates.tls_server import tls_server, who_calls
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent
from tests.support.discovery.starting_agent import NO_AUTHORITY, starting_agent

_DOMAIN = "[0-9a-f]{8}"


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    """One agent for all tests."""
    with consul_agent() as running:
        yield running


async def fetch(agent: ConsulAgent, service: str) -> discovery.ConsulCertificates:
    """The certificates of a service."""
    address = discovery.AgentAddress.parse(agent.address, token=None, ca_file=None)
    return await discovery.ConsulCertificates.fetch(
        service, address=address, clock=discovery.SystemClock(), rng=random.Random(7)
    )


async def test_a_server_s_name_is_the_common_name(agent: ConsulAgent) -> None:
    """It holds the service, the namespace and the beginning of the trust domain."""
    source = await fetch(agent, "order")
    (certificate,) = x509.load_pem_x509_certificates(source.current.chain)

    assert certificate.subject.rfc4514_string() == f"CN={source.server_name('order')}"
    assert re.fullmatch(f"payment.svc.default.{_DOMAIN}.consul", source.server_name("payment"))


@pytest.mark.parametrize("service", ["a-b", "a_b", "a.b", "Order", "x" * 37, ""])
async def test_names_that_consul_would_change_are_refused(agent: ConsulAgent, service: str) -> None:
    """Consul gives "ab", "a-b" and "a_b" the same name, so none but the first can be proven."""
    source = await fetch(agent, "order")

    with pytest.raises(discovery.InvalidCertificatesError, match="at most 36 of them"):
        source.server_name(service)


async def test_a_process_of_such_a_name_is_refused(agent: ConsulAgent) -> None:
    """A service can't get certificates for a name that nobody could check."""
    with pytest.raises(discovery.InvalidCertificatesError, match=r"is named 'ab\.svc"):
        await fetch(agent, "a-b")


async def test_who_knows_only_the_old_root_trusts_the_new_one(agent: ConsulAgent) -> None:
    """After a new root, certificates carry one more: the new root, signed by the old one."""
    order = await fetch(agent, "order")
    await rotate_root(agent)
    renewed = await fetch(agent, "payment")
    assert len(x509.load_pem_x509_certificates(renewed.current.roots)) > 1
    assert len(x509.load_pem_x509_certificates(renewed.current.chain)) == 2

    async with tls_server(renewed) as server:
        assert await who_calls(order, server, "payment") == "order"


async def test_an_agent_that_refuses_says_why() -> None:
    """Without `service:write` for the service its certificate isn't handed out."""
    tokens = 'tokens { master = "8d9a4c5e", agent = "8d9a4c5e" }'
    acl = f'acl {{ enabled = true, default_policy = "deny", {tokens} }} primary_datacenter = "dc1"'
    with consul_agent(hcl=acl) as agent:
        with pytest.raises(discovery.RegistryError, match="Permission denied"):
            await fetch(agent, "order")
        agent.kill()
        with pytest.raises(discovery.RegistryError, match="can't be reached"):
            await fetch(agent, "order")


async def test_an_authority_that_starts_is_waited_for(
    agent: ConsulAgent, caplog: pytest.LogCaptureFixture
) -> None:
    """An agent that was just started has no authority yet: each such answer is logged."""
    caplog.set_level(logging.WARNING, "discovery")
    async with starting_agent(agent, NO_AUTHORITY) as address:
        source = await discovery.ConsulCertificates.fetch(
            "order",
            address=discovery.AgentAddress.parse(address, token=None, ca_file=None),
            clock=discovery.SystemClock(),
            rng=random.Random(7),
        )

    assert source.server_name("order").startswith("order.svc.")
    lines = [each.message for each in caplog.records]
    assert len(lines) == len(NO_AUTHORITY)
    for line, answer in zip(lines, NO_AUTHORITY, strict=True):
        assert line.startswith("order: waiting for Consul's authority to start: ")
        assert answer in line


async def test_an_authority_that_never_starts_is_given_up(agent: ConsulAgent) -> None:
    """After half a minute the caller is told why there are no certificates."""
    clock = ManualClock()
    async with starting_agent(agent, ["internal error: CA root is nil"] * 1_000) as address:
        asking = asyncio.create_task(
            discovery.ConsulCertificates.fetch(
                "order",
                address=discovery.AgentAddress.parse(address, token=None, ca_file=None),
                clock=clock,
                rng=random.Random(7),
            )
        )
        while not asking.done():
            if clock.next_wake_s is not None:
                await clock.advance(clock.next_wake_s)
            # The answer to a request comes when it comes.
            await asyncio.wait([asking], timeout=0.01)

    with pytest.raises(discovery.RegistryError, match="CA root is nil"):
        await asking
    assert clock.monotonic() > 30
