"""A connection that another one has replaced is closed when its calls have ended."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from discovery.clock import SystemClock
from tests.support.discovery.probe_service import Open, Refusal, Start, path, ready, subchannels
from tests.support.limits import WAIT_S

SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("refusals", [[], [Refusal(grpc.StatusCode.UNAVAILABLE)]])
async def test_it_is_closed_however_its_last_call_ends(
    start: Start, open_to: Open, refusals: list[Refusal]
) -> None:
    """UNAVAILABLE makes the channel look at the connection, and must not make it watch again."""
    server = await start("a", health=SERVING)
    channel = open_to(server)
    await ready(channel, 1)
    server.gate.clear()
    call = asyncio.gather(channel.unary_unary(path("Post"))(b"x"), return_exceptions=True)
    await server.wait_for_calls(1)
    server.script.extend(refusals)
    (replaced,) = subchannels(channel)
    balancer: Any = channel._balancer
    native: Any = replaced._native
    assert await balancer.replace_connection(replaced)
    server.gate.set()
    (outcome,) = await call

    assert isinstance(outcome, grpc.aio.AioRpcError) == bool(refusals)
    async with asyncio.timeout(WAIT_S):
        while native.get_state() is not grpc.ChannelConnectivity.SHUTDOWN:
            await SystemClock().sleep(0.05)
