"""What a service config changes about calls."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from discovery.rules.method import Kind
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import (
    SERVICE,
    Open,
    Refusal,
    Start,
    failed,
    path,
    ready,
    subchannels,
)

UNAVAILABLE = Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "0"),))


@pytest.mark.parametrize(("method", "latency_s"), [("Put", 0.02), ("Get", 5.0)])
async def test_methods_that_wait_feed_no_load(
    start: Start, open_to: Open, method: str, latency_s: float
) -> None:
    """`waits`: an answer that took 5 s says something of Get, and nothing of Put."""
    server = await start("a")
    config = {"methodConfig": [{"name": [{"service": SERVICE, "method": "Put"}], "waits": True}]}
    clock = ManualClock()
    channel = open_to(server, clock=clock, service_config=config)
    await ready(channel, 1)
    server.gate.clear()
    call = asyncio.ensure_future(channel.unary_unary(path(method))(b"x"))
    await server.wait_for_calls(1)

    await clock.advance(5.0)
    server.gate.set()
    await call

    (subchannel,) = subchannels(channel)
    assert subchannel.load.latency_s(clock.monotonic()) == pytest.approx(latency_s, rel=0.1)


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


async def test_a_service_may_wait_for_ready_by_default(start: Start, open_to: Open) -> None:
    """`waitForReady`: a call waits where nobody is there yet, unless it says otherwise."""
    server = await start("a")
    await server.stop()
    config = {"methodConfig": [{"name": [{}], "waitForReady": True}]}
    channel = open_to(server, service_config=config)
    channel.get_state(try_to_connect=True)
    await failed(channel)
    post: Any = channel.unary_unary(path("Post"))

    with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
        await post(b"x", wait_for_ready=False)
    with pytest.raises(grpc.aio.AioRpcError, match="DEADLINE_EXCEEDED"):
        await post(b"x", timeout=0.2)


async def test_a_retry_that_cannot_finish_is_not_made(start: Start, open_to: Open) -> None:
    """Answers take a second as a rule: with less than that left, the error is the answer."""
    server = await start("a")
    channel = open_to(server, clock=ManualClock())
    await ready(channel, 1)
    get: Any = channel.unary_unary(path("Get"))
    known = channel._methods[path("Get"), Kind.UNARY_UNARY]
    for _ in range(20):
        known.latencies.add(1.0, channel.clock.monotonic())
    server.script.extend([UNAVAILABLE] * 2)

    with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
        await get(b"x", timeout=0.9)
    assert len(server.seen) == 1
    assert await get(b"x", timeout=5.0) == b"a:x"


async def test_each_attempt_goes_to_one_that_was_not_tried(start: Start, open_to: Open) -> None:
    """Not only elsewhere than the last one: the first is as broken as it was."""
    servers = sorted([await start(name) for name in "abc"], key=lambda server: server.address)
    channel = open_to(*servers, service_config={"loadBalancingConfig": [{"pick_first": {}}]})
    await ready(channel, 3)
    for server in servers[:2]:
        server.script.append(UNAVAILABLE)

    assert await channel.unary_unary(path("Get"))(b"x") == f"{servers[2].name}:x".encode()
    assert [len(server.seen) for server in servers] == [1, 1, 1]


async def test_successes_pay_for_retries(start: Start, open_to: Open) -> None:
    """retryThrottling: each call here loses one token and earns it back."""
    server = await start("a")
    config = {"retryThrottling": {"maxTokens": 3, "tokenRatio": 1}}
    get = open_to(server, service_config=config).unary_unary(path("Get"))

    for _ in range(10):
        server.script.append(UNAVAILABLE)
        assert await get(b"x") == b"a:x"


async def test_every_success_pays(start: Start, open_to: Open) -> None:
    """Also one that needed no retry."""
    server = await start("a")
    config = {"retryThrottling": {"maxTokens": 4, "tokenRatio": 1}}
    get = open_to(server, service_config=config).unary_unary(path("Get"))
    final = Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "-1"),))
    for _ in range(2):
        server.script.append(final)
        with pytest.raises(grpc.aio.AioRpcError):
            await get(b"x")

    await get(b"x")
    await get(b"x")

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
