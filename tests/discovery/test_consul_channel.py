"""A channel over a real Consul: what is registered is called."""

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

import discovery
from discovery.clock import SystemClock
from discovery.consul_registry import ConsulRegistry
from tests.consul_agent import ConsulAgent, consul_agent
from tests.probe_service import NOT_SERVING, SERVING, Start, path


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    """One agent for all tests here."""
    with consul_agent() as running:
        yield running


@asynccontextmanager
async def _closing(registry: ConsulRegistry) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await registry.close()


async def test_instances_are_called_as_they_come_and_go(agent: ConsulAgent, start: Start) -> None:
    """One, then two, then the other one; no call fails on the way, unsafe ones included."""
    a, b = await start("a", health=SERVING), await start("b", health=SERVING)
    registry = ConsulRegistry(agent.address, clock=SystemClock(), rng=random.Random(1))
    await registry.register(a.instance())
    async with (
        _closing(registry),
        discovery.open_channel(f"consul://{agent.address}/probe", rng=random.Random(7)) as channel,
    ):
        post = channel.unary_unary(path("Post"))
        assert await post(b"x", wait_for_ready=True) == b"a:x"

        await registry.register(b.instance())
        while await post(b"x") != b"b:x":
            pass

        await registry.deregister(a.instance())
        await a.say(NOT_SERVING)
        while {await post(b"x") for _ in range(20)} != {b"b:x"}:
            pass
