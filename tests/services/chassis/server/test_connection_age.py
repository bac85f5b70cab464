"""Old connections are replaced under load, where TRADEPOST_MAX_CONNECTION_AGE_S is set."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import discovery
from discovery.clock import SystemClock
from tests.support.chassis.echo_service import Echo, echo_server, path
from tests.support.limits import WAIT_S

AGED = {"max_connection_age_s": 1, "max_connection_age_grace_s": 6}
GENERATIONS = 3


def _plain(endpoint: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(endpoint)


def _discovered(endpoint: str) -> grpc.aio.Channel:
    return discovery.open_channel(f"static:///{endpoint}")


@pytest.mark.parametrize("open_channel", [_plain, _discovered])
async def test_no_unary_call_fails_and_a_stream_lasts_for_the_grace(
    open_channel: Callable[[str], grpc.aio.Channel],
) -> None:
    """Calls go on over three connections, and a stream outlives the age of its own."""
    peers: list[str] = []

    async def unary(request: StringValue, context: Any) -> StringValue:
        if context.peer() not in peers:
            peers.append(context.peer())
        return request

    async def endless(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        while True:
            yield request
            await SystemClock().sleep(0.01)

    async with (
        echo_server(settings=AGED, unary=unary, unary_stream=endless) as server,
        open_channel(server.server.endpoint) as channel,
    ):
        echo = Echo(server.server, channel)
        seen_by_stream: set[int] = set()

        async def follow() -> grpc.StatusCode:
            call = echo.channel.unary_stream(path("UnaryStream"))(b"")
            try:
                async for _ in call:
                    seen_by_stream.add(len(peers))
            except grpc.aio.AioRpcError as error:
                return error.code()
            raise AssertionError("the stream has no end")

        stream = asyncio.create_task(follow())
        async with asyncio.timeout(WAIT_S):
            while len(peers) < GENERATIONS or not stream.done():
                assert (await echo.unary("x")).value == "x"
                await SystemClock().sleep(0.01)

    assert stream.result() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    assert max(seen_by_stream) > 1
