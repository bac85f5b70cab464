"""A slow stream of responses is hedged until its caller has seen something of it."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc import StatusCode

import discovery
from discovery.rules.method import Kind
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import (
    Open,
    Probe,
    Refusal,
    Start,
    in_flight,
    path,
    ready,
    subchannels,
)

CONFIG = {
    # With pick_first it is known which instance gets the first attempt.
    "loadBalancingConfig": [{"pick_first": {}}],
    "methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 2}}],
}


class TwoInstances:
    """Two instances, of which the first is stuck; a first message usually takes 100 ms."""

    def __init__(
        self, servers: list[Probe], clock: ManualClock, channel: discovery.Channel
    ) -> None:
        self.slow, self.other = servers
        self.clock = clock
        self.channel = channel

    def watch(self, request: bytes = b"x") -> Any:
        """A stream whose first attempt sends nothing before the gate opens."""
        return self.channel.unary_stream(path("Watch"))(request)

    async def hedged(self) -> None:
        """Return once the first instance has the stream and the hedge is due."""
        await self.slow.wait_for_calls(1)
        await self.clock.wait_for_sleepers()
        await self.clock.advance(0.11)


@pytest.fixture
async def two_instances(start: Start, open_to: Open) -> TwoInstances:
    """Two ready instances, with 25 calls in the budget."""
    servers = sorted([await start("a"), await start("b")], key=lambda probe: probe.address)
    clock = ManualClock()
    channel = open_to(*servers, clock=clock, service_config=CONFIG)
    await ready(channel, 2)
    for _ in range(25):
        await channel.unary_unary(path("Get"))(b"pay")
    assert await messages(channel.unary_stream(path("Watch"))(b"x"))
    known = channel._stacks.methods[path("Watch"), Kind.UNARY_STREAM]
    for _ in range(1000):
        known.latencies.add(0.1, clock.monotonic())
    await clock.advance(0.2)
    for server in servers:
        server.seen.clear()
    servers[0].gate.clear()
    return TwoInstances(servers, clock, channel)


async def messages(stream: Any) -> list[bytes]:
    """All messages of a stream."""
    return [message async for message in stream]


def from_(server: Probe) -> list[bytes]:
    """The messages that a server streams."""
    return [f"{server.name}:x{number}".encode() for number in range(3)]


async def test_the_first_message_wins_and_the_loser_is_cancelled(
    two_instances: TwoInstances,
) -> None:
    """After the p95 of first messages, a second attempt goes to another instance and may win."""
    stream = two_instances.watch()
    await two_instances.hedged()

    assert await messages(stream) == from_(two_instances.other)
    assert await stream.code() is StatusCode.OK
    await two_instances.slow.was_cancelled()
    assert [seen.metadata.get("x-discovery-attempt") for seen in two_instances.other.seen] == ["1"]
    await two_instances.clock.settle()
    assert in_flight(two_instances.channel) == 0
    (loser,) = (
        one
        for one in subchannels(two_instances.channel)
        if one.instance.endpoint == two_instances.slow.address
    )
    assert loser.load.latency_s(two_instances.clock.monotonic()) > 0.09


async def test_no_hedge_before_the_p95(two_instances: TwoInstances) -> None:
    """A stream that begins within the p95 is not hedged."""
    stream = two_instances.watch()
    await two_instances.slow.wait_for_calls(1)
    await two_instances.clock.wait_for_sleepers()
    await two_instances.clock.advance(0.09)
    two_instances.slow.gate.set()

    assert await messages(stream) == from_(two_instances.slow)
    assert two_instances.other.seen == []


async def test_a_failed_hedge_leaves_the_first_to_win(two_instances: TwoInstances) -> None:
    """When the hedge fails, the first attempt can still win."""
    two_instances.other.script.append(Refusal(StatusCode.UNAVAILABLE))
    stream = two_instances.watch()
    await two_instances.hedged()
    await two_instances.other.wait_for_calls(1)
    two_instances.slow.gate.set()

    assert await messages(stream) == from_(two_instances.slow)


async def test_a_fatal_error_ends_the_call(two_instances: TwoInstances) -> None:
    """A fatal error such as NOT_FOUND ends the call without waiting for the other attempt."""
    two_instances.other.script.append(Refusal(StatusCode.NOT_FOUND))
    stream = two_instances.watch()
    await two_instances.hedged()

    with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
        await messages(stream)
    await two_instances.slow.was_cancelled()


async def test_the_attempt_whose_metadata_was_seen_wins(two_instances: TwoInstances) -> None:
    """The attempt whose metadata the caller has seen delivers the stream, even if it is slower."""
    two_instances.other.gate.clear()
    stream = two_instances.watch(b"headers")
    await two_instances.hedged()
    await two_instances.other.wait_for_calls(1)

    metadata = await stream.initial_metadata()
    seen_first = {
        two_instances.slow.name: two_instances.slow,
        two_instances.other.name: two_instances.other,
    }[metadata["served-by"]]
    beaten = two_instances.slow if seen_first is two_instances.other else two_instances.other
    await beaten.was_cancelled()
    beaten.gate.set()
    seen_first.gate.set()

    assert await stream.read() == f"{seen_first.name}:headers0".encode()


async def test_once_metadata_was_seen_nothing_is_hedged(two_instances: TwoInstances) -> None:
    """A stream isn't hedged after its caller has seen its metadata."""
    stream = two_instances.watch(b"headers")
    assert (await stream.initial_metadata())["served-by"] == two_instances.slow.name

    await two_instances.hedged()
    two_instances.slow.gate.set()

    assert await stream.read() == f"{two_instances.slow.name}:headers0".encode()
    assert two_instances.other.seen == []


async def test_cancelling_the_stream_cancels_both(two_instances: TwoInstances) -> None:
    """Cancelling a hedged stream cancels both attempts."""
    two_instances.other.gate.clear()
    stream = two_instances.watch()
    await two_instances.hedged()
    await two_instances.other.wait_for_calls(1)

    assert stream.cancel()

    await two_instances.slow.was_cancelled()
    await two_instances.other.was_cancelled()
    with pytest.raises(asyncio.CancelledError):
        await stream.read()


async def test_retry_continues_after_both_attempts_failed(two_instances: TwoInstances) -> None:
    """After both attempts failed, the next one carries the right attempt number."""
    refusal = Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "0"),))
    two_instances.other.script.append(refusal)
    two_instances.slow.script.append(refusal)
    stream = two_instances.watch()
    await two_instances.hedged()
    await two_instances.other.wait_for_calls(1)
    two_instances.slow.gate.set()

    assert len(await messages(stream)) == 3
    headers = [
        int(seen.metadata.get("x-discovery-attempt", 0))
        for seen in (*two_instances.slow.seen, *two_instances.other.seen)
    ]
    assert sorted(headers) == [0, 1, 2]
