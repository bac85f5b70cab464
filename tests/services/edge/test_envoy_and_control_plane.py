"""Envoy without its control plane, a control plane without Envoy, and what either refuses."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest_asyncio
from envoy.config.listener.v3.listener_pb2 import Listener
from structlog.testing import capture_logs

from discovery.registry.memory import MemoryRegistry
from scripts.suite.consul import free_ports
from services.edge.control_plane.snapshot import LISTENERS, TypedResources
from services.edge.edge import control_plane
from services.edge.resources.packing import packed
from tests.support.edge.answering_server import AnsweringServer, answering_server
from tests.support.edge.running_edge import (
    RunningEdge,
    edge_of,
    envoy_at,
    instance_at,
    running_edge,
    settings_at_free_ports,
)
from tests.support.limits import WAIT_S


@pytest_asyncio.fixture
async def first() -> AsyncIterator[AnsweringServer]:
    async with answering_server("first") as server:
        yield server


@pytest_asyncio.fixture
async def second() -> AsyncIterator[AnsweringServer]:
    async with answering_server("second") as server:
        yield server


async def test_envoy_is_started_again(first: AnsweringServer, tmp_path: Path) -> None:
    """An Envoy that was killed is started again, with a line that says so, and serves."""
    with capture_logs() as lines:
        async with running_edge(tmp_path, [instance_at("order", first.endpoint)]) as edge:
            killed = edge.envoy.pid
            os.kill(killed, signal.SIGKILL)
            await _until_answered_by("first", edge.channel)
            assert edge.envoy.pid != killed
    (line,) = [line for line in lines if line["event"] == "envoy_ended"]
    assert line["status"] == -signal.SIGKILL


async def test_envoy_ends_with_the_edge(first: AnsweringServer, tmp_path: Path) -> None:
    """When the edge stops, its Envoy has ended."""
    async with running_edge(tmp_path, [instance_at("order", first.endpoint)]) as edge:
        pid = edge.envoy.pid
    assert not _runs(pid)


async def test_a_rejected_configuration_changes_nothing(
    first: AnsweringServer, tmp_path: Path
) -> None:
    """What Envoy rejects is logged with its reason, and Envoy goes on with what it had."""
    with capture_logs() as lines:
        async with running_edge(tmp_path, [instance_at("order", first.endpoint)]) as edge:
            bad = TypedResources("bad", {"public": packed(Listener(name="public"))})
            edge.state.publish({**(edge.state.current or {}), LISTENERS: bad})
            async with asyncio.timeout(WAIT_S):
                while not _rejections(lines):
                    await _answerer(edge.channel)
            await _until_answered_by("first", edge.channel)
    (line,) = _rejections(lines)
    assert (line["type"], line["log_level"]) == ("Listener", "error")
    assert "address is necessary" in line["cause"]


async def test_envoy_goes_on_without_the_control_plane(
    first: AnsweringServer, second: AnsweringServer, tmp_path: Path
) -> None:
    """While the control plane is gone Envoy serves; the next one finds it and brings changes."""
    settings, socket = settings_at_free_ports(), tmp_path / "xds.sock"
    registry = MemoryRegistry()
    await registry.register(instance_at("order", first.endpoint))
    async with AsyncExitStack() as stack:
        async with control_plane([f"unix:{socket}"], **edge_of(settings, registry)):
            await stack.enter_async_context(envoy_at(socket, settings))
            channel = await stack.enter_async_context(
                grpc.aio.insecure_channel(f"127.0.0.1:{settings.port}")
            )
            await channel.channel_ready()
            await _until_answered_by("first", channel)
        assert await _answerer(channel) == "first"
        await registry.register(instance_at("order", second.endpoint))
        await registry.deregister(instance_at("order", first.endpoint))
        assert await _answerer(channel) == "first"
        async with control_plane([f"unix:{socket}"], **edge_of(settings, registry)):
            await _until_answered_by("second", channel)


async def test_the_last_instances_stay(first: AnsweringServer, tmp_path: Path) -> None:
    """A registry that lists no instance any more, or fails, takes no instance away."""
    with capture_logs() as lines:
        async with running_edge(tmp_path, [instance_at("order", first.endpoint)]) as edge:
            edge.registry.forget()
            async with asyncio.timeout(WAIT_S):
                while not [line for line in lines if line["event"] == "last_instances_stay"]:
                    assert await _answerer(edge.channel) == "first"
            edge.registry.fail("down")
            assert await _answerer(edge.channel) == "first"


async def test_a_change_reaches_envoy_at_once(
    first: AnsweringServer, second: AnsweringServer, tmp_path: Path
) -> None:
    """Every call that begins after Envoy took a change goes to an instance that is registered."""
    one, other = instance_at("order", first.endpoint), instance_at("order", second.endpoint)
    async with running_edge(tmp_path, [one, other]) as edge:
        await _until_answered_by("first", edge.channel)
        await edge.registry.deregister(one)
        await _until_only("second", edge)


async def test_a_process_that_replaces_another_is_not_ejected(
    first: AnsweringServer, tmp_path: Path
) -> None:
    """An instance that was killed is ejected; the one at the same address begins without that."""
    (port,) = free_ports(1)
    killed = instance_at("order", f"127.0.0.1:{port}")
    async with running_edge(tmp_path, [killed, instance_at("order", first.endpoint)]) as edge:
        async with asyncio.timeout(WAIT_S):
            while not (await _host(edge, port))["health_status"].get("failed_outlier_check"):
                await _answerer(edge.channel)

            await edge.registry.register(replace(killed, incarnation="another"))

            # Those of the killed process would never be forgotten.
            host = await _host(edge, port)
            while any("value" in count for count in host["stats"]):
                host = await _host(edge, port)
        assert "failed_outlier_check" not in host["health_status"]


async def _host(edge: RunningEdge, port: int) -> dict[str, Any]:
    """What Envoy's admin page says of the order instance at a port."""
    url = f"http://127.0.0.1:{edge.settings.admin_port}/clusters?format=json"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        clusters = (await response.json(content_type=None))["cluster_statuses"]
    (hosts,) = [cluster["host_statuses"] for cluster in clusters if cluster["name"] == "order"]
    (host,) = [each for each in hosts if each["address"]["socket_address"]["port_value"] == port]
    found: dict[str, Any] = host
    return found


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def _until_only(name: str, edge: RunningEdge) -> None:
    """Return after 20 answers of `name` in a row."""
    in_a_row = 0
    async with asyncio.timeout(WAIT_S):
        while in_a_row < 20:
            in_a_row = in_a_row + 1 if await _answerer(edge.channel) == name else 0


async def _until_answered_by(name: str, channel: grpc.aio.Channel) -> None:
    async with asyncio.timeout(WAIT_S):
        while await _answerer(channel) != name:
            pass


async def _answerer(channel: grpc.aio.Channel) -> str:
    """The name of the server that answered; empty for an error."""
    call = channel.unary_unary("/tradepost.order.v1.OrderService/GetOrder")
    try:
        answer: bytes = await call(b"", timeout=WAIT_S, wait_for_ready=True)
        return answer.decode()
    except grpc.aio.AioRpcError:
        return ""


def _rejections(lines: list[dict[str, object]]) -> list[dict[str, object]]:
    return [line for line in lines if line["event"] == "configuration_rejected"]
