"""Many calls at once, just after Envoy has started, while one of two instances is dead."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from scripts.suite.consul import free_ports
from tests.support.edge.answering_server import answering_server
from tests.support.edge.running_edge import RunningEdge, instance_at, running_edge
from tests.support.limits import WAIT_S

CALLS = 64


async def by_grpc(edge: RunningEdge) -> bool:
    """Call by gRPC; whether an instance answered. Raises AioRpcError."""
    method = "/tradepost.order.v1.OrderService/ListOrders"
    answer: bytes = await edge.channel.unary_unary(method)(b"", timeout=WAIT_S)
    return answer == b""


async def by_rest(edge: RunningEdge) -> bool:
    """Call by REST, which passes through both stages; whether an instance answered."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{edge.url}/v1/orders") as answered,
    ):
        return answered.status == 200


@pytest.mark.parametrize("call", [by_grpc, by_rest])
async def test_no_call_of_a_burst_fails_for_a_dead_instance(
    call: Callable[[RunningEdge], Awaitable[bool]], tmp_path: Path
) -> None:
    """Half of the calls are sent to the dead instance, and all of these are repeated at once."""
    (dead,) = free_ports(1)
    async with answering_server("") as server:
        instances = [
            instance_at("order", server.endpoint),
            instance_at("order", f"127.0.0.1:{dead}"),
        ]
        async with running_edge(tmp_path, instances) as edge:
            answered = await asyncio.gather(*(call(edge) for _ in range(CALLS)))

    assert answered == [True] * CALLS
