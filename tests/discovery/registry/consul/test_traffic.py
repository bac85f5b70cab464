"""Shifting calls between instances that others have registered."""

import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
import pytest_asyncio

from discovery.clock import SystemClock
from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.registry import CheckSettings, ConsulRegistry
from discovery.registry.consul.traffic import ConsulTraffic
from discovery.registry.instance import Instance
from discovery.registry.protocols import RegistryError
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent

ORDER = Instance(
    instance_id="order-1",
    service="order",
    address="127.0.0.1",
    port=50051,
    tags=("v2",),
    meta={"version": "1.4.0", "protocol": "grpc"},
    incarnation="first",
)


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    """An agent for all tests."""
    with consul_agent() as running:
        yield running


@pytest_asyncio.fixture
async def registry(agent: ConsulAgent) -> AsyncIterator[ConsulRegistry]:
    """A registry with one registered instance."""
    opened = ConsulRegistry(
        agent.address,
        clock=SystemClock(),
        rng=random.Random(7),
        check=CheckSettings(interval_s=3600),
    )
    await opened.register(ORDER)
    yield opened
    await opened.deregister(ORDER)
    await opened.close()


@pytest_asyncio.fixture
async def traffic(agent: ConsulAgent) -> AsyncIterator[ConsulTraffic]:
    """What an operator's program shifts calls with."""
    opened = ConsulTraffic(AgentAddress.parse(agent.address, token=None, ca_file=None))
    yield opened
    await opened.close()


async def test_a_weight_is_all_that_changes(
    registry: ConsulRegistry, traffic: ConsulTraffic
) -> None:
    """Id, address, tags, metadata, incarnation and check stay, so the instance sees no loss."""
    await traffic.set_weight("order-1", 700)

    assert await registry.checked("order") == ((replace(ORDER, weight=700), "passing"),)


async def test_an_instance_that_is_taken_out_gets_no_calls(
    registry: ConsulRegistry, traffic: ConsulTraffic
) -> None:
    """It stays registered, as not usable, until it is put back."""
    await traffic.take_out("order-1", "withdrawn")
    assert await registry.lookup("order") == (replace(ORDER, usable=False),)

    await traffic.put_back("order-1")
    assert await registry.lookup("order") == (ORDER,)


async def test_an_instance_that_has_left_does_not_come_back(
    registry: ConsulRegistry, traffic: ConsulTraffic
) -> None:
    """Nobody would check an entry that only its weight has brought back."""
    await registry.deregister(ORDER)

    with pytest.raises(RegistryError, match="order-1 is not registered"):
        await traffic.set_weight("order-1", 700)

    assert await registry.lookup("order") == ()
