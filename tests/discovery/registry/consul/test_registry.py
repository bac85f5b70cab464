"""The registry with a real Consul agent that also fails and restarts."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from itertools import count

import aiohttp
import grpc.aio
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from discovery.clock import SystemClock
from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.client import agent_client
from discovery.registry.consul.registry import CheckSettings, ConsulRegistry
from discovery.registry.instance import Instance, Resolution
from discovery.registry.registration import Registration
from discovery.registry.resolver import Resolver
from tests.support.discovery.consul_agent import ConsulAgent, consul_agent
from tests.support.limits import WAIT_S

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


@asynccontextmanager
async def _task(running: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _wait_until(lists: AsyncIterator[tuple[Instance, ...]], ids: list[str]) -> None:
    async with asyncio.timeout(WAIT_S):
        async for instances in lists:
            if [instance.instance_id for instance in instances if instance.usable] == ids:
                return


async def test_a_change_wakes_a_blocking_query(agent: ConsulAgent, order: Instance) -> None:
    """A watch yields a registration when it happens, not at the end of its wait."""
    async with _registry(agent.address) as registry, aclosing(registry.watch(order.service)) as w:
        assert await anext(w) == ()
        waiting = asyncio.ensure_future(anext(w))
        await asyncio.sleep(0)
        await registry.register(order)
        assert await asyncio.wait_for(waiting, 30) == (order,)


async def test_a_registration_has_one_check(agent: ConsulAgent, order: Instance) -> None:
    """An instance registered twice has one check, which passes from the start."""
    async with _registry(agent.address) as registry:
        await registry.register(order)
        await registry.register(replace(order, weight=1))
        ((_, status),) = await registry.checked(order.service)
        assert status == "passing"
    address = AgentAddress.parse(agent.address, token=None, ca_file=None)
    async with agent_client(address) as client:
        checks = (await client.get("/v1/agent/checks")).data.values()
    assert [c["Type"] for c in checks if c["ServiceName"] == order.service] == ["grpc"]


async def test_a_server_that_stops_serving_leaves_the_list(
    agent: ConsulAgent, order: Instance
) -> None:
    """The agent's check removes an instance from the list and adds it again."""
    server = grpc.aio.server()
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    served = replace(order, port=port)
    check = CheckSettings(interval_s=0.2, timeout_s=1.0)
    async with (
        _registry(agent.address, check=check) as registry,
        aclosing(registry.watch(order.service)) as lists,
    ):
        await registry.register(served)
        await _wait_until(lists, ["slot-1"])
        await servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        await _wait_until(lists, [])
        ((instance, status),) = await registry.checked(order.service)
        assert (instance, status) == (served, "critical")
        await servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        await _wait_until(lists, ["slot-1"])
        await registry.deregister(served)
    await server.stop(None)


@pytest.mark.parametrize("path", ["/v1/agent/service/maintenance/slot-1", "/v1/agent/maintenance"])
async def test_maintenance_is_no_vanishing(agent: ConsulAgent, order: Instance, path: str) -> None:
    """An instance or a node in maintenance is listed as not usable until that ends, even if the
    process is started again meanwhile.
    """
    again = replace(order, incarnation="second")

    async def maintain(enable: str) -> None:
        address = f"http://{agent.address}{path}"
        async with aiohttp.ClientSession() as session:
            await session.put(address, params={"enable": enable, "reason": "by an operator"})

    async with (
        _registry(agent.address) as registry,
        aclosing(registry.watch(order.service)) as lists,
    ):
        await registry.register(order)
        await _wait_until(lists, ["slot-1"])
        await maintain("true")
        try:
            assert await asyncio.wait_for(anext(lists), 60) == (replace(order, usable=False),)
            assert await registry.lookup(order.service) == (replace(order, usable=False),)
            assert await registry.checked(order.service) == ((order, "critical"),)
            # The process crashes and is started again.
            await registry.register(again)
            assert await asyncio.wait_for(anext(lists), 60) == (replace(again, usable=False),)
        finally:
            await maintain("false")
        assert await asyncio.wait_for(anext(lists), 60) == (again,)
        await registry.deregister(again)


async def test_an_answer_says_how_fresh_it_is(agent: ConsulAgent, order: Instance) -> None:
    """The freshness of a watch's answers can be read."""
    async with _registry(agent.address) as registry:
        assert registry.freshness(order.service) is None
        async with aclosing(registry.watch(order.service)) as lists:
            await anext(lists)
        freshness = registry.freshness(order.service)
        assert freshness is not None
        assert freshness.known_leader


async def test_an_instance_is_registered_again_after_an_agents_restart(order: Instance) -> None:
    """A killed agent restarts empty; then the registration is there again and callers see it."""
    published: asyncio.Queue[Resolution] = asyncio.Queue()
    with consul_agent() as agent:
        async with _registry(agent.address) as registry:
            registration = Registration(
                registrar=registry,
                instance=order,
                clock=SystemClock(),
                rng=random.Random(1),
                check_interval_s=0.2,
            )
            resolver = _resolver(registry, order, published)
            async with (
                _task(asyncio.create_task(registration.run())),
                _task(asyncio.create_task(resolver.run())),
            ):
                await _wait_published(published, (order,), failing=False)
                await asyncio.to_thread(agent.kill)
                await _wait_published(published, (order,), failing=True)
                await asyncio.to_thread(agent.start)
                await _wait_published(published, (order,), failing=False)
                async with aclosing(registry.watch(order.service)) as lists:
                    await _wait_until(lists, ["slot-1"])


async def test_an_agent_that_is_dead_at_the_start(order: Instance) -> None:
    """Callers get the error at once, and the instances when the agent has started."""
    published: asyncio.Queue[Resolution] = asyncio.Queue()
    agent = ConsulAgent()
    async with _registry(agent.address) as registry:
        resolver = _resolver(registry, order, published)
        async with _task(asyncio.create_task(resolver.run())):
            first = await asyncio.wait_for(published.get(), 60)
            assert first.instances == ()
            assert "can't be reached" in (first.error or "")
            await asyncio.to_thread(agent.start)
            try:
                await registry.register(order)
                await _wait_published(published, (order,), failing=False)
            finally:
                agent.kill()


def _resolver(
    registry: ConsulRegistry, instance: Instance, published: "asyncio.Queue[Resolution]"
) -> Resolver:
    return Resolver(
        service=instance.service,
        tag=None,
        watcher=registry,
        clock=SystemClock(),
        rng=random.Random(2),
        publish=published.put_nowait,
        is_serving=lambda _: True,
    )


async def _wait_published(
    published: "asyncio.Queue[Resolution]", instances: tuple[Instance, ...], *, failing: bool
) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            resolution = await published.get()
            if (resolution.instances, resolution.error is not None) == (instances, failing):
                return
