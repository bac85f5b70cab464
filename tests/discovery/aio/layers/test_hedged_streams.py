"""A stream of responses that begins slowly gets company, until its caller has seen something."""

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
    # So that it is known who is asked first.
    "loadBalancingConfig": [{"pick_first": {}}],
    "methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 2}}],
}


class World:
    """Two instances, of which the first is stuck; streams begin after 100 ms as a rule."""

    def __init__(
        self, servers: list[Probe], clock: ManualClock, channel: discovery.Channel
    ) -> None:
        self.slow, self.other = servers
        self.clock = clock
        self.channel = channel

    def watch(self, request: bytes = b"x") -> Any:
        """A stream whose first attempt tells nothing before the gate opens."""
        return self.channel.unary_stream(path("Watch"))(request)

    async def hedged(self) -> None:
        """Return once the first instance has the stream, and the hedge was due."""
        await self.slow.wait_for_calls(1)
        await self.clock.wait_for_sleepers()
        await self.clock.advance(0.11)


@pytest.fixture
async def world(start: Start, open_to: Open) -> World:
    """Made ready, with 25 calls in the budget."""
    servers = sorted([await start("a"), await start("b")], key=lambda probe: probe.address)
    clock = ManualClock()
    channel = open_to(*servers, clock=clock, service_config=CONFIG)
    await ready(channel, 2)
    for _ in range(25):
        await channel.unary_unary(path("Get"))(b"pay")
    assert await messages(channel.unary_stream(path("Watch"))(b"x"))
    known = channel._methods[path("Watch"), Kind.UNARY_STREAM]
    for _ in range(1000):
        known.latencies.add(0.1, clock.monotonic())
    await clock.advance(0.2)
    for server in servers:
        server.seen.clear()
    servers[0].gate.clear()
    return World(servers, clock, channel)


async def messages(stream: Any) -> list[bytes]:
    """All of them."""
    return [message async for message in stream]


def from_(server: Probe) -> list[bytes]:
    """What the server streams."""
    return [f"{server.name}:x{number}".encode() for number in range(3)]


async def test_the_first_message_wins_and_the_loser_is_cancelled(world: World) -> None:
    """After the p95 of first messages a second attempt goes elsewhere, and says that it is one."""
    stream = world.watch()
    await world.hedged()

    assert await messages(stream) == from_(world.other)
    assert await stream.code() is StatusCode.OK
    await world.slow.was_cancelled()
    assert [seen.metadata.get("x-discovery-attempt") for seen in world.other.seen] == ["1"]
    await world.clock.settle()
    assert in_flight(world.channel) == 0
    (loser,) = (
        one for one in subchannels(world.channel) if one.instance.endpoint == world.slow.address
    )
    assert loser.load.latency_s(world.clock.monotonic()) > 0.09


async def test_no_hedge_before_the_p95(world: World) -> None:
    """Most streams begin in time."""
    stream = world.watch()
    await world.slow.wait_for_calls(1)
    await world.clock.wait_for_sleepers()
    await world.clock.advance(0.09)
    world.slow.gate.set()

    assert await messages(stream) == from_(world.slow)
    assert world.other.seen == []


async def test_a_failed_hedge_leaves_the_first_to_win(world: World) -> None:
    """The first message, not the first answer."""
    world.other.script.append(Refusal(StatusCode.UNAVAILABLE))
    stream = world.watch()
    await world.hedged()
    await world.other.wait_for_calls(1)
    world.slow.gate.set()

    assert await messages(stream) == from_(world.slow)


async def test_a_fatal_error_is_the_answer(world: World) -> None:
    """NOT_FOUND is an answer: nobody waits for the other."""
    world.other.script.append(Refusal(StatusCode.NOT_FOUND))
    stream = world.watch()
    await world.hedged()

    with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
        await messages(stream)
    await world.slow.was_cancelled()


async def test_metadata_that_was_seen_decides(world: World) -> None:
    """The caller has seen the first's: its messages are the stream, however fast the other is."""
    world.other.gate.clear()
    stream = world.watch(b"headers")
    await world.hedged()
    await world.other.wait_for_calls(1)

    metadata = await stream.initial_metadata()
    shown = {world.slow.name: world.slow, world.other.name: world.other}[metadata["served-by"]]
    beaten = world.slow if shown is world.other else world.other
    await beaten.was_cancelled()
    beaten.gate.set()
    shown.gate.set()

    assert await stream.read() == f"{shown.name}:headers0".encode()


async def test_once_metadata_was_seen_nothing_is_hedged(world: World) -> None:
    """A stream that its caller knows isn't replaced."""
    stream = world.watch(b"headers")
    assert (await stream.initial_metadata())["served-by"] == world.slow.name

    await world.hedged()
    world.slow.gate.set()

    assert await stream.read() == f"{world.slow.name}:headers0".encode()
    assert world.other.seen == []


async def test_cancelling_the_stream_cancels_both(world: World) -> None:
    """Nothing is left behind."""
    world.other.gate.clear()
    stream = world.watch()
    await world.hedged()
    await world.other.wait_for_calls(1)

    assert stream.cancel()

    await world.slow.was_cancelled()
    await world.other.was_cancelled()
    with pytest.raises(asyncio.CancelledError):
        await stream.read()


async def test_after_both_failed_retry_goes_on(world: World) -> None:
    """With the right number in the header."""
    refusal = Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "0"),))
    world.other.script.append(refusal)
    world.slow.script.append(refusal)
    stream = world.watch()
    await world.hedged()
    await world.other.wait_for_calls(1)
    world.slow.gate.set()

    assert len(await messages(stream)) == 3
    headers = [
        int(seen.metadata.get("x-discovery-attempt", 0))
        for seen in (*world.slow.seen, *world.other.seen)
    ]
    assert sorted(headers) == [0, 1, 2]
