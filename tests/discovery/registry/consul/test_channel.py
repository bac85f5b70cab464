"""Channels over a real Consul agent call the registered instances."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

import discovery
from discovery import blocking
from discovery.clock import SystemClock
from discovery.registry.consul.registry import ConsulRegistry
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent
from tests.support.discovery.probe_service import NOT_SERVING, SERVING, Start, path, ready


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    """One agent for all tests in this file."""
    with consul_agent() as running:
        yield running


@asynccontextmanager
async def _closing(registry: ConsulRegistry) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await registry.close()


async def test_instances_are_called_as_they_come_and_go(agent: ConsulAgent, start: Start) -> None:
    """While instances are added and removed no call fails, not even an unsafe one."""
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
        await a.set_health(NOT_SERVING)
        while {await post(b"x") for _ in range(20)} != {b"b:x"}:
            pass


async def test_an_operator_takes_an_instance_out(agent: ConsulAgent, start: Start) -> None:
    """An instance in maintenance gets no more calls, though it serves; no call fails."""
    a, b = await start("a", health=SERVING), await start("b", health=SERVING)
    registry = ConsulRegistry(agent.address, clock=SystemClock(), rng=random.Random(1))
    address = f"http://{agent.address}/v1/agent/service/maintenance/a"
    async with (
        _closing(registry),
        discovery.open_channel(f"consul://{agent.address}/probe", rng=random.Random(7)) as channel,
        aiohttp.ClientSession() as session,
    ):
        for one in (a, b):
            await registry.register(one.instance())
        await ready(channel, 2)
        await session.put(address, params={"enable": "true"})

        post = channel.unary_unary(path("Post"))
        while {await post(b"x") for _ in range(20)} != {b"b:x"}:
            assert not channel._resolver._vanished
        for one in (a, b):
            await registry.deregister(one.instance())


async def test_an_agent_that_forgets_costs_no_call(start: Start) -> None:
    """After an agent's restart, serving instances stay until they are registered again."""
    a = await start("a", health=SERVING)
    with consul_agent() as agent:
        registry = ConsulRegistry(agent.address, clock=SystemClock(), rng=random.Random(1))
        target = f"consul://{agent.address}/probe"
        async with (
            _closing(registry),
            discovery.open_channel(target, rng=random.Random(7)) as channel,
        ):
            await registry.register(a.instance())
            post = channel.unary_unary(path("Post"))
            assert await post(b"x", wait_for_ready=True) == b"a:x"

            resolver = channel._resolver
            await asyncio.to_thread(agent.kill)
            while resolver._published.error is None:
                assert await post(b"x") == b"a:x"
            await asyncio.to_thread(agent.start)
            while not resolver._vanished:
                assert await post(b"x") == b"a:x"
            await registry.register(a.instance())
            while resolver._vanished:
                assert await post(b"x") == b"a:x"
            assert [one.instance_id for one in await registry.lookup("probe")] == ["a"]


async def test_a_cold_start_without_consul(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller that starts while the agent is down begins with the last caller's list."""
    monkeypatch.setenv("DISCOVERY_SNAPSHOT_DIR", str(tmp_path))

    def written() -> bool:
        return any(tmp_path.glob("*.json"))

    a = await start("a", health=SERVING)
    with consul_agent() as agent:
        target = f"consul://{agent.address}/probe"
        registry = ConsulRegistry(agent.address, clock=SystemClock(), rng=random.Random(1))
        async with _closing(registry), discovery.open_channel(target) as channel:
            await registry.register(a.instance())
            post = channel.unary_unary(path("Post"))
            assert await post(b"x", wait_for_ready=True) == b"a:x"
            while not await asyncio.to_thread(written):
                await post(b"x")

    async with discovery.open_channel(target) as channel:
        assert await channel.unary_unary(path("Post"))(b"y") == b"a:y"

    def ask() -> bytes:
        with blocking.open_channel(target) as channel:
            answer: bytes = channel.unary_unary(path("Post"))(b"z")
            return answer

    assert await asyncio.to_thread(ask) == b"a:z"
