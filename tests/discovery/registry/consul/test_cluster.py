"""Three Consul servers that lose their leader, and one agent with many services."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from discovery.clock import SystemClock
from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.client import agent_client
from discovery.registry.consul.registry import CheckSettings, ConsulRegistry
from discovery.registry.instance import Instance, Resolution
from discovery.registry.protocols import RegistryError
from discovery.registry.resolver import Resolver
from scripts.suite.consul import free_ports
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent
from tests.support.limits import WAIT_S

HOSTS = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
FIRST = Instance("slot-1", "order", "127.0.0.1", 50051)
SECOND = Instance("slot-2", "order", "127.0.0.1", 50052)


@asynccontextmanager
async def three_servers(folder: Path) -> AsyncIterator[list[ConsulAgent]]:
    """A cluster; its leader is first."""
    # One port for all three, because who joins has to know it.
    (serf_port,) = free_ports(1)
    join = [f"-retry-join={host}:{serf_port}" for host in HOSTS]
    servers = [
        ConsulAgent(
            host=host,
            mode=("-server", "-bootstrap-expect=3", f"-data-dir={folder / host}", *join),
            hcl=f"performance {{ raft_multiplier = 1 }} ports {{ serf_lan = {serf_port} }}",
            ready=("New leader elected",),
        )
        for host in HOSTS
    ]
    try:
        await asyncio.gather(*(asyncio.to_thread(server.start) for server in servers))
        leader = await leader_of(servers[0])
        yield sorted(servers, key=lambda server: not leader.startswith(f"{server.host}:"))
    finally:
        for server in servers:
            server.kill()


async def leader_of(server: ConsulAgent) -> str:
    """The address of the leader as this server sees it."""
    address = AgentAddress.parse(server.address, token=None, ca_file=None)
    async with agent_client(address) as client:
        told: str = (await client.get("/v1/status/leader")).data
    return told


async def write(server: ConsulAgent, instance: Instance) -> bool:
    """Write an instance of another machine to the catalogue; return whether a leader took it."""
    service = {"ID": instance.instance_id, "Service": instance.service, "Port": instance.port}
    entry = {"Node": "elsewhere", "Address": instance.address, "Service": service}
    url = f"http://{server.address}/v1/catalog/register"
    async with aiohttp.ClientSession() as session, session.put(url, json=entry) as answer:
        return answer.status == 200


@asynccontextmanager
async def registry_of(agent: ConsulAgent) -> AsyncIterator[ConsulRegistry]:
    """A registry whose checks always pass."""
    check = CheckSettings(interval_s=3600)
    registry = ConsulRegistry(agent.address, clock=SystemClock(), rng=random.Random(7), check=check)
    try:
        yield registry
    finally:
        await registry.close()


@asynccontextmanager
async def resolving(registry: ConsulRegistry) -> "AsyncIterator[asyncio.Queue[Resolution]]":
    """What a caller of "order" gets."""
    published: asyncio.Queue[Resolution] = asyncio.Queue()
    resolver = Resolver(
        service="order",
        tag=None,
        watcher=registry,
        clock=SystemClock(),
        rng=random.Random(2),
        publish=published.put_nowait,
        is_serving=lambda _: False,
    )
    watching = asyncio.create_task(resolver.run())
    try:
        yield published
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def seen(published: "asyncio.Queue[Resolution]", *ids: str) -> list[Resolution]:
    """What was published, up to the wanted list."""
    resolutions: list[Resolution] = []
    while not resolutions or [one.instance_id for one in resolutions[-1].instances] != list(ids):
        resolutions.append(await asyncio.wait_for(published.get(), 60))
    return resolutions


async def replicated(registry: ConsulRegistry) -> None:
    """Return once the server itself has the instance, not only its leader."""
    async with aclosing(registry.watch("order")) as lists, asyncio.timeout(WAIT_S):
        async for instances in lists:
            if instances:
                return


async def test_without_a_leader_no_instance_is_removed(tmp_path: Path) -> None:
    """Reads are still answered, as old ones; changes under a new leader are seen."""
    async with three_servers(tmp_path) as (leader, other, last):
        assert await write(last, FIRST)
        async with registry_of(last) as registry, resolving(registry) as published:
            await seen(published, "slot-1")
            await replicated(registry)

            leader.kill()
            other.kill()
            with pytest.raises(RegistryError):
                await registry.lookup("order")
            known = True
            while known:
                async with aclosing(registry.watch("order")) as lists:
                    assert [one.instance_id for one in await anext(lists)] == ["slot-1"]
                freshness = registry.freshness("order")
                known = freshness is None or freshness.known_leader

            await asyncio.to_thread(other.start)
            while not await write(last, SECOND):
                pass
            after = await seen(published, "slot-1", "slot-2")
            assert all("slot-1" in {one.instance_id for one in each.instances} for each in after)


async def test_many_services_on_one_agent() -> None:
    """Each watch sees its own service and no changes of others."""
    services = [f"service-{number}" for number in range(40)]
    instances = [replace(FIRST, service=name, instance_id=f"{name}-1") for name in services]
    instances = [replace(one, meta={"protocol": "grpc"}) for one in instances]
    with consul_agent() as agent:
        async with registry_of(agent) as registry, AsyncExitStack() as stack:
            for instance in instances:
                await registry.register(instance)
            # The agent passes registrations on to its catalogue in its own time.
            while not all([await registry.lookup(name) for name in services]):
                pass
            watches = [
                await stack.enter_async_context(aclosing(registry.watch(name))) for name in services
            ]
            first = await asyncio.gather(*(anext(watch) for watch in watches))
            assert first == [(instance,) for instance in instances]

            changes = [asyncio.ensure_future(anext(watch)) for watch in watches]
            moved = replace(instances[7], port=50052)
            await registry.register(moved)

            done, waiting = await asyncio.wait(
                changes, timeout=30, return_when=asyncio.FIRST_COMPLETED
            )
            assert [change.result() for change in done] == [(moved,)]
            assert len(waiting) == len(services) - 1
            for change in waiting:
                change.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
