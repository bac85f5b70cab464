"""What a service config changes about calls."""

from typing import Any

import grpc
import pytest
from grpc import StatusCode

from tests.manual_clock import ManualClock
from tests.probe_service import SERVICE, Open, Refusal, Start, path, ready, subchannels

UNAVAILABLE = Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "0"),))


async def test_methods_that_wait_feed_no_load(start: Start, open_to: Open) -> None:
    """`waits`: their answers take as long as something else. Those of others count."""
    waiting = [{"service": SERVICE, "method": method} for method in ("Put", "Watch")]
    config = {"methodConfig": [{"name": waiting, "waits": True}]}
    channel = open_to(await start("a"), clock=ManualClock(), service_config=config)
    await ready(channel, 1)
    (subchannel,) = subchannels(channel)
    seed_s = subchannel.load.latency_s(0.0)

    await channel.unary_unary(path("Put"))(b"x")
    [message async for message in channel.unary_stream(path("Watch"))(b"x")]
    assert subchannel.load.latency_s(0.0) == seed_s

    subchannel.load.failed(0.0, 0.0)
    await channel.unary_unary(path("Get"))(b"x")
    assert subchannel.load.failures_in_row == 0


async def test_a_timeout_bounds_calls_with_and_without_one(start: Start, open_to: Open) -> None:
    """The smaller of the two."""
    server = await start("a")
    config = {"methodConfig": [{"name": [{}], "timeout": "0.9s"}]}
    get: Any = open_to(server, service_config=config).unary_unary(path("Get"))

    await get(b"x")
    await get(b"x", timeout=60.0)
    await get(b"x", timeout=0.5)

    remaining_s = [seen.time_remaining_s or 99.0 for seen in server.seen]
    assert [one < limit for one, limit in zip(remaining_s, (1.0, 1.0, 0.6), strict=True)] == [
        True
    ] * 3


async def test_successes_pay_for_retries(start: Start, open_to: Open) -> None:
    """retryThrottling: each call here loses one token and earns it back."""
    server = await start("a")
    config = {"retryThrottling": {"maxTokens": 3, "tokenRatio": 1}}
    get = open_to(server, service_config=config).unary_unary(path("Get"))

    for _ in range(10):
        server.script.append(UNAVAILABLE)
        assert await get(b"x") == b"a:x"


async def test_failures_end_retries(start: Start, open_to: Open) -> None:
    """With half of the tokens gone, the first failure is the last."""
    server = await start("a")
    server.script.extend([UNAVAILABLE] * 100)
    config = {"retryThrottling": {"maxTokens": 4, "tokenRatio": 0.1}}
    get = open_to(server, service_config=config).unary_unary(path("Get"))

    for _ in range(3):
        with pytest.raises(grpc.aio.AioRpcError):
            await get(b"x")

    assert len(server.seen) == 2 + 1 + 1


async def test_streams_are_throttled_too(start: Start, open_to: Open) -> None:
    """Before their first message, which pays a token back."""
    server = await start("a")
    config = {"retryThrottling": {"maxTokens": 3, "tokenRatio": 1}}
    watch = open_to(server, service_config=config).unary_stream(path("Watch"))

    for _ in range(5):
        server.script.append(UNAVAILABLE)
        assert len([message async for message in watch(b"x")]) == 3

    server.script.extend([UNAVAILABLE] * 100)
    seen = len(server.seen)
    for _ in range(3):
        with pytest.raises(grpc.aio.AioRpcError):
            await watch(b"x").read()
    assert len(server.seen) - seen == 2 + 1 + 1
