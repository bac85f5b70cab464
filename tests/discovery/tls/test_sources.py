"""Every source of certificates keeps the same promises: files, and Consul's authority."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

import discovery
from discovery.registry.consul.agent_address import AgentAddress
from tests.support.certificates.authority import Authority
from tests.support.certificates.consul_ca import rotate_root
from tests.support.certificates.tls_server import tls_server, who_calls
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent

CLOCK = discovery.SystemClock()


@dataclass
class World:
    """The sources of two services, and ways to change what stands behind them."""

    order: discovery.CertificateSource
    payment: discovery.CertificateSource
    # The certificates of all services change.
    renew: Callable[[], Awaitable[None]]
    # Where they come from can't be read any more, and can again.
    lose: Callable[[], None]
    restore: Callable[[], None]


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    """One agent for all tests of this module."""
    with consul_agent() as running:
        yield running


@pytest.fixture(params=["files", "consul"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """The sources of "order" and "payment", of each kind."""
    if request.param == "files":
        yield _world_of_files(tmp_path)
    else:
        yield await _world_of_consul(request.getfixturevalue("agent"))


async def test_two_services_know_each_other(world: World) -> None:
    """A caller checks the server's name, and the server knows the caller by its SPIFFE id."""
    async with tls_server(world.order) as server:
        assert await who_calls(world.payment, server, "order") == "payment"


async def test_a_server_of_another_name_is_refused(world: World) -> None:
    """A certificate of "order" doesn't prove that its holder is "payment"."""
    async with tls_server(world.order) as server:
        with pytest.raises(grpc.aio.AioRpcError, match="Hostname Verification Check failed"):
            await who_calls(world.payment, server, "payment")


async def test_new_certificates_are_handed_out(world: World) -> None:
    """Who waits gets the new certificates; they work together with those from before."""
    before = world.payment.current
    waiting = asyncio.create_task(world.payment.changed(before))
    await world.renew()
    renewed = await waiting

    assert renewed != before
    assert world.payment.current == renewed
    assert await world.payment.changed(before) == renewed
    async with tls_server(world.order) as server:
        assert await who_calls(world.payment, server, "order") == "payment"


async def test_a_source_that_cannot_be_read_changes_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The certificates stay, why is logged without a key, and the source is read again later."""
    before = world.payment.current
    waiting = asyncio.create_task(world.payment.changed(before))
    world.lose()
    while "stay" not in caplog.text:
        await CLOCK.sleep(0.02)
    assert world.payment.current == before
    assert "PRIVATE KEY" not in caplog.text

    world.restore()
    await world.renew()
    assert await waiting != before


async def test_another_trust_domain_is_nobody(world: World) -> None:
    """The SPIFFE id of an authority that isn't the own one names no service."""
    assert world.order.service_of("spiffe://other.test/payment") == ""
    assert world.order.service_of("") == ""


def _world_of_files(folder: Path) -> World:
    authority = Authority()
    parts = ("chain", "key", "roots")

    def write() -> None:
        for service in ("order", "payment"):
            issued = authority.issue(service)
            for part in parts:
                (folder / f"{service}.{part}").write_bytes(getattr(issued, part))

    def source(service: str) -> discovery.FileCertificates:
        return discovery.FileCertificates(
            certificate_file=folder / f"{service}.chain",
            key_file=folder / f"{service}.key",
            roots_file=folder / f"{service}.roots",
            clock=CLOCK,
        )

    async def renew() -> None:
        await asyncio.to_thread(write)

    write()
    return World(
        order=source("order"),
        payment=source("payment"),
        renew=renew,
        lose=(folder / "payment.chain").unlink,
        restore=write,
    )


async def _world_of_consul(agent: ConsulAgent) -> World:
    address = AgentAddress.parse(agent.address, token=None, ca_file=None)
    rng = random.Random(7)
    fetch = discovery.ConsulCertificates.fetch
    return World(
        order=await fetch("order", address=address, clock=CLOCK, rng=rng),
        payment=await fetch("payment", address=address, clock=CLOCK, rng=rng),
        renew=lambda: rotate_root(agent),
        lose=agent.kill,
        restore=agent.start,
    )
