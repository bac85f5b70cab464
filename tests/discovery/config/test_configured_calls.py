"""What a service config changes about calls."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc import StatusCode
from tradepost.order.v1 import order_service_pb2

from discovery.config.method_config import method_of
from discovery.config.service_config import parse_service_config
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
    """The latency of a method marked `waits` doesn't count for the load of its instance."""
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


async def test_a_configured_timeout_bounds_every_call(start: Start, open_to: Open) -> None:
    """The smaller of the configured timeout and the call's own one applies."""
    server = await start("a")
    config = {"methodConfig": [{"name": [{}], "timeout": "9s"}]}
    get: Any = open_to(server, service_config=config).unary_unary(path("Get"))

    await get(b"x")
    await get(b"x", timeout=60.0)
    await get(b"x", timeout=5.0)

    remaining_s = [seen.time_remaining_s or 99.0 for seen in server.seen]
    assert [one < limit for one, limit in zip(remaining_s, (9.1, 9.1, 5.1), strict=True)] == [
        True
    ] * 3


async def test_a_service_may_wait_for_ready_by_default(start: Start, open_to: Open) -> None:
    """With `waitForReady`, a call waits for an instance unless the call itself says otherwise."""
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
    """If less time is left than a call usually takes, the error is raised instead of a retry."""
    server = await start("a")
    channel = open_to(server, clock=ManualClock())
    await ready(channel, 1)
    get: Any = channel.unary_unary(path("Get"))
    known = channel._stacks.methods[path("Get"), Kind.UNARY_UNARY]
    for _ in range(20):
        known.latencies.add(90.0, channel.clock.monotonic())
    server.script.extend([UNAVAILABLE] * 2)

    with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
        await get(b"x", timeout=60.0)
    assert len(server.seen) == 1
    assert await get(b"x", timeout=600.0) == b"a:x"


async def test_each_attempt_goes_to_one_that_was_not_tried(start: Start, open_to: Open) -> None:
    """An attempt avoids all instances that were tried before, not only the last one."""
    servers = sorted([await start(name) for name in "abc"], key=lambda server: server.address)
    channel = open_to(*servers, service_config={"loadBalancingConfig": [{"pick_first": {}}]})
    await ready(channel, 3)
    for server in servers[:2]:
        server.script.append(UNAVAILABLE)

    assert await channel.unary_unary(path("Get"))(b"x") == f"{servers[2].name}:x".encode()
    assert [len(server.seen) for server in servers] == [1, 1, 1]


async def test_successes_pay_for_retries(start: Start, open_to: Open) -> None:
    """With retryThrottling, a failure costs one token and a success returns some."""
    server = await start("a")
    config = {"retryThrottling": {"maxTokens": 3, "tokenRatio": 1}}
    get = open_to(server, service_config=config).unary_unary(path("Get"))

    for _ in range(10):
        server.script.append(UNAVAILABLE)
        assert await get(b"x") == b"a:x"


async def test_every_success_pays(start: Start, open_to: Open) -> None:
    """A call that needed no retry returns tokens as well."""
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
    """After half of the tokens are spent, a failed call isn't retried."""
    server = await start("a")
    server.script.extend([UNAVAILABLE] * 100)
    config = {"retryThrottling": {"maxTokens": 4, "tokenRatio": 0.1}}
    get = open_to(server, service_config=config).unary_unary(path("Get"))

    for _ in range(3):
        with pytest.raises(grpc.aio.AioRpcError):
            await get(b"x")

    assert len(server.seen) == 2 + 1 + 1


async def test_streams_are_throttled_too(start: Start, open_to: Open) -> None:
    """A stream's failure before its first message costs a token; its first message returns some."""
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


@pytest.mark.parametrize(
    ("entry", "expected"), [({}, True), ({"waits": True}, True), ({"waits": False}, False)]
)
def test_the_service_config_overrides_the_contracts_policy(
    entry: dict[str, bool], *, expected: bool
) -> None:
    """What the contract says about waiting holds unless the config says something else."""
    service = order_service_pb2.DESCRIPTOR.services_by_name["OrderService"].full_name
    config = parse_service_config({"methodConfig": [{"name": [{"service": service}], **entry}]})

    method = method_of(config, f"/{service}/CreateOrder", Kind.UNARY_UNARY, registered=True)

    assert method.waits is expected
