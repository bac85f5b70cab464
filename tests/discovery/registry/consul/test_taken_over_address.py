"""An address that another service took over, while Consul still lists it, costs no call."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tradepost.inventory.v1.inventory_service_pb2 import ListItemsRequest
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub

import discovery
from discovery import blocking
from discovery.clock import SystemClock
from discovery.registry.consul.registry import ConsulRegistry
from discovery.registry.instance import Instance
from tests.support.discovery.blocking.manual_readiness import ready as ready_in_blocking
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent
from tests.support.discovery.probe_service import ready
from tests.support.suite.service_process import service_process

# In turn, so that the taken address is certainly asked.
ROUND_ROBIN: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
CALLS = 200


@pytest.fixture
def agent() -> Iterator[ConsulAgent]:
    """A Consul agent of the test."""
    with consul_agent() as running:
        yield running


@pytest.fixture
async def target(agent: ConsulAgent, tmp_path: Path) -> AsyncIterator[str]:
    """Inventory with two addresses, of which a payment service serves the second one.

    The agent's check passes at both: payment says that it is healthy as a whole.
    """
    async with AsyncExitStack() as stack:
        ports = {}
        for name in ("inventory", "payment"):
            environment = {
                "DATABASE_URL": f"sqlite:///{tmp_path}/{name}.db",
                "TRADEPOST_PROCESSOR_URL": f"simulated://{tmp_path}/processor.db",
                "CONSUL_HTTP_ADDR": agent.address,
                "TRADEPOST_REGISTRY": "consul",
                "TRADEPOST_INSTANCE_ID": f"{name}-1",
            }
            service = await stack.enter_async_context(service_process(name, environment))
            ports[name] = (await service.line("serving"))["port"]
        registry = ConsulRegistry(agent.address, clock=SystemClock(), rng=random.Random(1))
        stack.push_async_callback(registry.close)
        await registry.register(Instance("inventory-9", "inventory", "127.0.0.1", ports["payment"]))
        yield f"consul://{agent.address}/inventory"


def taken_over_was_asked(caplog: pytest.LogCaptureFixture) -> bool:
    """Whether a call found out that the instance doesn't know the method."""
    return any("inventory-9 doesn't know" in line for line in caplog.messages)


async def test_every_call_is_answered(target: str, caplog: pytest.LogCaptureFixture) -> None:
    """Calls of an asynchronous program go to the instance that knows the method."""
    async with discovery.open_channel(
        target, service_config=ROUND_ROBIN, rng=random.Random(7)
    ) as channel:
        await ready(channel, 2)
        stub = InventoryServiceStub(channel)
        for _ in range(CALLS):
            await stub.ListItems(ListItemsRequest())

    assert taken_over_was_asked(caplog)


async def test_every_blocking_call_is_answered(
    target: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Calls of a synchronous program go to the instance that knows the method."""

    def ask() -> None:
        with blocking.open_channel(
            target, service_config=ROUND_ROBIN, rng=random.Random(7)
        ) as channel:
            ready_in_blocking(channel, 2)
            stub = InventoryServiceStub(channel)
            for _ in range(CALLS):
                stub.ListItems(ListItemsRequest())

    await asyncio.to_thread(ask)

    assert taken_over_was_asked(caplog)
