"""What is sent to an agent, and how its answers are read."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from discovery.clock import SystemClock
from discovery.registry.consul.agent_address import AgentAddress
from discovery.registry.consul.client import agent_client
from discovery.registry.consul.registry import CheckSettings, ConsulRegistry
from discovery.registry.instance import Instance
from discovery.registry.protocols import RegistryError
from tests.support.clock.manual_clock import ManualClock

ORDER = Instance(
    "slot-1", "order", "::1", 50051, ("v2",), {"version": "1.4.0"}, weight=3, incarnation="x1"
)


@dataclass
class FakeAgentServer:
    """An HTTP server in place of an agent: it answers as set, and keeps the requests."""

    address: str = ""
    answer: Callable[[web.Request], Awaitable[web.Response]] | None = None
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    connections: list[object] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        self.requests.append(request)
        self.connections.append(request.transport.get_extra_info("peername"))
        self.bodies.append(await request.read())
        if self.answer is None:
            return web.json_response([], headers={"X-Consul-Index": str(len(self.requests))})
        return await self.answer(request)

    def registry(self, **settings: Any) -> ConsulRegistry:
        return ConsulRegistry(self.address, clock=SystemClock(), rng=random.Random(1), **settings)


@pytest.fixture
async def agent() -> AsyncIterator[FakeAgentServer]:
    """A fake agent on a free port."""
    stand_in = FakeAgentServer()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", stand_in.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stand_in.address = f"127.0.0.1:{runner.addresses[0][1]}"
    yield stand_in
    await runner.cleanup()


async def _ok(_: web.Request) -> web.Response:
    return web.Response()


async def test_what_is_registered(agent: FakeAgentServer) -> None:
    """A registration has id, address, meta, weights and a gRPC check that passes at first."""
    agent.answer = _ok
    registry = agent.registry(check=CheckSettings(tls=True))
    await registry.register(ORDER)
    await registry.close()
    (request,) = agent.requests
    assert request.path == "/v1/agent/service/register"
    assert "replace-existing-checks" not in request.query
    definition = json.loads(agent.bodies[0])
    (check,) = definition.pop("checks")
    assert definition == {
        "id": "slot-1",
        "name": "order",
        "address": "::1",
        "port": 50051,
        "tags": ["v2"],
        "meta": {"protocol": "grpc", "version": "1.4.0", "incarnation": "x1"},
        "weights": {"Passing": 3, "Warning": 1},
    }
    assert check == {
        "Name": "grpc.health.v1",
        "GRPC": "[::1]:50051",
        "GRPCUseTLS": True,
        "Interval": "5s",
        "Timeout": "2s",
        "Status": "passing",
        "DeregisterCriticalServiceAfter": "600s",
    }


async def test_a_watch_has_one_connection_of_its_own(agent: FakeAgentServer) -> None:
    """All queries of a watch use one connection; another watch has another one."""
    registry = agent.registry()
    for watched in range(2):
        asked = asyncio.Event()

        async def block_after_one(
            request: web.Request, asked: asyncio.Event = asked
        ) -> web.Response:
            if "index" in request.query:
                asked.set()
                await asyncio.Event().wait()
            return web.json_response([], headers={"X-Consul-Index": "1"})

        agent.answer = block_after_one
        async with aclosing(registry.watch("order")) as lists:
            assert await anext(lists) == ()
            waiting = asyncio.ensure_future(anext(lists))
            await asyncio.wait_for(asked.wait(), 60)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        of_this_watch = agent.connections[2 * watched :]
        assert len(of_this_watch) == 2
        assert len(set(of_this_watch)) == 1
    assert len(set(agent.connections)) == 2


@pytest.mark.parametrize(("incarnation", "asked"), [("x1", ["GET", "PUT"]), ("x2", ["GET"])])
async def test_only_the_own_registration_is_withdrawn(
    agent: FakeAgentServer, incarnation: str, asked: list[str]
) -> None:
    """A stopping process doesn't remove a later incarnation with its id."""

    async def registered(_: web.Request) -> web.Response:
        entry = {"ID": "slot-1", "Service": "order", "Address": "::1", "Port": 50051}
        return web.json_response({**entry, "Meta": {"incarnation": incarnation}})

    agent.answer = registered
    registry = agent.registry()
    try:
        await registry.deregister(ORDER)
    finally:
        await registry.close()
    assert [request.method for request in agent.requests] == asked


async def test_a_watch_says_when_answers_are_old(
    agent: FakeAgentServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Answers without a leader, or 5 s away from it, are logged once; so is the end."""
    answers = [("false", 0), ("true", 5_000), ("true", 5_001), ("true", 0)]

    async def next_answer(_: web.Request) -> web.Response:
        known, heard_ms = answers.pop(0)
        headers = {
            "X-Consul-Index": str(10 - len(answers)),
            "X-Consul-KnownLeader": known,
            "X-Consul-LastContact": str(heard_ms),
        }
        return web.json_response([], headers=headers)

    agent.answer = next_answer
    clock = ManualClock()
    registry = ConsulRegistry(agent.address, clock=clock, rng=random.Random(1))
    with caplog.at_level("INFO", logger="discovery.registry.consul.registry"):
        for _ in range(4):
            async with aclosing(registry.watch("order")) as lists:
                await anext(lists)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"] * 2


async def test_a_watch_waits_almost_a_minute(agent: FakeAgentServer) -> None:
    """A query waits 55 s less up to a tenth; a change ends it sooner."""
    async with aclosing(agent.registry().watch("order")) as lists:
        await anext(lists)
        waiting = asyncio.ensure_future(anext(lists))
        while len(agent.requests) < 2:  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert 49_500 <= int(agent.requests[1].query["wait"].removesuffix("ms")) <= 55_000


async def test_a_look_up_that_confirms_is_consistent(agent: FakeAgentServer) -> None:
    """The leader answers it, not the nearest server."""
    await agent.registry().lookup("order", tag="v2")
    assert dict(agent.requests[0].query) == {"consistent": "", "tag": "v2"}


async def test_the_token_given_is_the_token_sent(
    agent: FakeAgentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's token is used only if the registry is made from the environment."""
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "from-environment")
    monkeypatch.setenv("CONSUL_HTTP_ADDR", agent.address)
    await agent.registry(token="given").lookup("order")
    await agent.registry().lookup("order")
    registry = ConsulRegistry.from_environment(clock=SystemClock(), rng=random.Random(1))
    await registry.lookup("order")
    tokens = [request.headers.get("X-Consul-Token") for request in agent.requests]
    assert tokens == ["given", None, "from-environment"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503, 599])
async def test_every_refusal_is_a_registry_error(agent: FakeAgentServer, status: int) -> None:
    """Too many connections (429), no leader (500) and an old agent (404) raise RegistryError."""

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=status, text="rpc error: No cluster leader")

    agent.answer = refuse
    with pytest.raises(RegistryError):
        await agent.registry().lookup("order")


async def test_an_answer_that_is_no_json(agent: FakeAgentServer) -> None:
    """A proxy's error page isn't read as a list of instances."""
    agent.answer = _ok
    with pytest.raises(RegistryError):
        await agent.registry().lookup("order")


@pytest.mark.parametrize("body", [b"\xff\xfe[]", b"[" * 100_000])
async def test_an_answer_that_cannot_be_decoded(agent: FakeAgentServer, body: bytes) -> None:
    """Bytes that aren't UTF-8, or JSON that is nested too deep, raise RegistryError as well."""

    async def garbled(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"X-Consul-Index": "1"})

    agent.answer = garbled
    with pytest.raises(RegistryError):
        await agent.registry().lookup("order")


async def test_a_silent_agent_is_not_waited_for(agent: FakeAgentServer) -> None:
    """If an agent accepts a request and doesn't answer, the request times out."""

    async def never(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    agent.answer = never
    address = AgentAddress.parse(agent.address, token=None, ca_file=None)
    async with agent_client(address) as client:
        with pytest.raises(RegistryError, match="didn't answer in time"):
            await client.get("/v1/status/leader", timeout_s=0.05)


async def test_every_request_carries_what_the_environment_says(
    agent: FakeAgentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Namespace, partition and the proxy's password are sent by reads and registrations."""
    monkeypatch.setenv("CONSUL_HTTP_ADDR", agent.address)
    monkeypatch.setenv("CONSUL_NAMESPACE", "shop")
    monkeypatch.setenv("CONSUL_PARTITION", "north")
    monkeypatch.setenv("CONSUL_HTTP_AUTH", "me:pass:word")
    registry = ConsulRegistry.from_environment(clock=SystemClock(), rng=random.Random(1))
    await registry.lookup("order")
    agent.answer = _ok
    await registry.register(ORDER)
    await registry.close()
    for request in agent.requests:
        assert (request.query["ns"], request.query["partition"]) == ("shop", "north")
        assert request.headers["Authorization"] == "Basic bWU6cGFzczp3b3Jk"


async def test_a_request_that_is_cancelled_as_its_time_ends_is_cancelled(
    agent: FakeAgentServer,
) -> None:
    """Both happen at once after the event loop was held up; a watch must not go on then."""
    asked = asyncio.Event()

    async def _never(_: web.Request) -> web.Response:
        asked.set()
        await asyncio.Event().wait()
        return web.Response()

    agent.answer = _never
    loop, limit_s = asyncio.get_running_loop(), 0.1
    address = AgentAddress.parse(agent.address, token=None, ca_file=None)
    async with agent_client(address) as client:
        request = loop.create_task(client.get("/v1/health/service/order", timeout_s=limit_s))
        await asked.wait()
        late_s = loop.time() + limit_s
        while loop.time() < late_s:
            pass
        await asyncio.sleep(0)
        request.cancel()
        await asyncio.wait([request])

    assert request.cancelled()
