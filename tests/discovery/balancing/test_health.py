"""A server's health decides whether it is picked, and nothing else."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator

import grpc
import pytest
from grpc import ChannelConnectivity, StatusCode
from grpc_health.v1.health_pb2 import HealthCheckResponse

import discovery
from discovery.balancing import health
from discovery.balancing.health import Health
from discovery.registry.instance import Instance
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import (
    NOT_SERVING,
    SERVING,
    Open,
    Start,
    failed,
    path,
    ready,
    subchannels,
)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (HealthCheckResponse.SERVING, Health.SERVING),
        (HealthCheckResponse.NOT_SERVING, Health.NOT_SERVING),
        (HealthCheckResponse.SERVICE_UNKNOWN, Health.UNREPORTED),
        (HealthCheckResponse.UNKNOWN, Health.UNREPORTED),
    ],
)
def test_only_an_explicit_status_counts(
    status: HealthCheckResponse.ServingStatus, expected: Health
) -> None:
    """The status is read without grpcio-health-checking, which callers need not install."""
    message = HealthCheckResponse(status=status).SerializeToString()

    assert health.parse(message) is expected
    assert health.parse(message + b"\x7a\x03new") is expected


def test_nonsense_is_no_status() -> None:
    """An answer that can't be read doesn't say whether the server serves."""
    assert health.parse(b"\xff\xff") is Health.UNREPORTED
    assert health.parse(b"") is Health.UNREPORTED


class Streams:
    """Scripted health streams: each is a list of messages and how it ends."""

    def __init__(self, *streams: tuple[list[int], StatusCode | None]) -> None:
        self._streams = iter(streams)
        self.reported: list[Health] = []

    async def open(self) -> AsyncIterator[bytes]:
        messages, ends = next(self._streams)
        for status in messages:
            yield HealthCheckResponse(status=status).SerializeToString()  # type: ignore[arg-type]
        if ends is not None:
            raise grpc.aio.AioRpcError(ends, grpc.aio.Metadata(), grpc.aio.Metadata())

    async def watched(self, clock: ManualClock) -> None:
        def delays_s() -> Iterator[float]:
            yield from (1.0, 2.0, 4.0)

        await health.watch(self.open, report=self.reported.append, delays_s=delays_s, clock=clock)


async def test_a_server_without_the_health_service_is_serving() -> None:
    """After UNIMPLEMENTED it isn't asked again (gRFC A17)."""
    streams = Streams(([], StatusCode.UNIMPLEMENTED))

    await streams.watched(ManualClock())

    assert streams.reported == [Health.SERVING]


async def test_a_broken_stream_is_opened_anew_after_growing_delays() -> None:
    """A status in between resets the delays."""
    streams = Streams(
        ([], StatusCode.UNAVAILABLE),
        ([], StatusCode.UNAVAILABLE),
        ([SERVING], None),
        ([NOT_SERVING], StatusCode.UNAVAILABLE),
        ([], StatusCode.UNIMPLEMENTED),
    )
    clock = ManualClock()
    watching = asyncio.create_task(streams.watched(clock))

    waits_s = []
    for _ in range(4):
        await clock.wait_for_sleepers(1)
        waits_s.append(clock.next_wake_s)
        await clock.advance(clock.next_wake_s or 0.0)
    await watching

    assert waits_s == [1.0, 2.0, 1.0, 1.0]
    serving, stopped = Health.SERVING, Health.NOT_SERVING
    assert streams.reported == [
        *(Health.BROKEN, Health.UNREPORTED),
        *(serving, serving),
        *(stopped, stopped),
        serving,
    ]


@pytest.mark.parametrize("code", sorted(health.LASTING_REFUSALS, key=str))
async def test_a_refusal_that_lasts_ends_the_watch(code: StatusCode) -> None:
    """The server is used, whatever it said before, and isn't asked again on this connection."""
    streams = Streams(([NOT_SERVING], code))

    await streams.watched(ManualClock())

    assert streams.reported[-1] in health.USABLE


async def test_not_serving_is_not_picked(start: Start, open_to: Open) -> None:
    """A connected instance that says NOT_SERVING isn't READY."""
    a, b = await start("a", health=SERVING), await start("b", health=NOT_SERVING)
    channel = open_to(a, b)
    post = channel.unary_unary(path("Post"))

    assert {await post(b"x") for _ in range(20)} == {b"a:x"}


async def test_not_serving_counts_as_transient_failure(start: Start, open_to: Open) -> None:
    """If no other instance serves, calls fail; after SERVING they succeed again."""
    server = await start("a", health=NOT_SERVING)
    channel = open_to(server)
    post = channel.unary_unary(path("Post"))

    with pytest.raises(discovery.NoInstanceError):
        await post(b"x")
    assert channel.get_state() is ChannelConnectivity.TRANSIENT_FAILURE

    waiting = asyncio.ensure_future(post(b"x", wait_for_ready=True))
    await server.set_health(SERVING)
    assert await waiting == b"a:x"


async def test_not_serving_leaves_calls_in_flight_alone(start: Start, open_to: Open) -> None:
    """A draining server finishes the calls it accepted, so none fails."""
    a, b = await start("a", health=SERVING), await start("b", health=SERVING)
    channel = open_to(a, b)
    post = channel.unary_unary(path("Post"))
    await ready(channel, 2)
    a.gate.clear()
    b.gate.clear()
    waiting = [asyncio.ensure_future(post(b"x")) for _ in range(4)]
    await asyncio.gather(a.wait_for_calls(2), b.wait_for_calls(2))
    b.gate.set()

    await a.set_health(NOT_SERVING)
    while channel._balancer.is_serving(instance_at(channel, a.address)):
        await channel._balancer.change()
    assert {await post(b"y") for _ in range(10)} == {b"b:y"}
    a.gate.set()

    assert set(await asyncio.gather(*waiting)) == {b"a:x", b"b:x"}
    assert len(a.seen) == 2


async def test_a_broken_health_stream_keeps_its_last_status(start: Start) -> None:
    """A draining server ends its streams while its connections still serve."""
    server = await start("a", health=SERVING)
    async with discovery.open_channel(
        f"static:///{server.address}", clock=ManualClock(), rng=random.Random(7)
    ) as channel:
        post = channel.unary_unary(path("Post"))
        assert await post(b"x") == b"a:x"
        (subchannel,) = subchannels(channel)

        subchannel._health_changed(Health.BROKEN)
        assert subchannel.state is ChannelConnectivity.READY

        subchannel._health_changed(Health.NOT_SERVING)
        subchannel._health_changed(Health.BROKEN)
        assert subchannel.state is ChannelConnectivity.TRANSIENT_FAILURE


async def test_a_stream_that_breaks_before_its_first_status_is_not_serving(start: Start) -> None:
    """Without a status the instance isn't picked."""
    server = await start("a", health=SERVING)
    async with discovery.open_channel(
        f"static:///{server.address}", rng=random.Random(7)
    ) as channel:
        await channel.channel_ready()
        (subchannel,) = subchannels(channel)
        subchannel._stop_health()

        subchannel._health_changed(Health.BROKEN)

        assert subchannel.state is ChannelConnectivity.TRANSIENT_FAILURE


async def test_a_restarted_server_is_asked_anew(start: Start, open_to: Open) -> None:
    """After a new connection the instance is READY only after a new status."""
    server = await start("a", health=SERVING)
    channel = open_to(server, clock=ManualClock())
    await channel.channel_ready()

    await server.stop()
    await failed(channel)
    again = await start("a again", port=server.port, health=NOT_SERVING)

    await channel.wait_for_state_change(ChannelConnectivity.TRANSIENT_FAILURE)
    assert channel.get_state() is ChannelConnectivity.CONNECTING
    await failed(channel)
    await again.set_health(SERVING)
    await channel.channel_ready()
    assert await channel.unary_unary(path("Post"))(b"x") == b"a again:x"


async def test_transient_failure_lasts_until_ready(start: Start, open_to: Open) -> None:
    """While a connection is tried again, calls still fail at once (gRFC A62)."""
    channel = open_to(await start("a"))
    await ready(channel, 1)
    (subchannel,) = subchannels(channel)

    subchannel._connected(ChannelConnectivity.TRANSIENT_FAILURE)
    subchannel._connected(ChannelConnectivity.CONNECTING)
    assert subchannel.state is ChannelConnectivity.TRANSIENT_FAILURE

    subchannel._connected(ChannelConnectivity.READY)
    subchannel._health_changed(Health.SERVING)
    assert subchannel.state is ChannelConnectivity.READY


async def test_watching_health_counts_nothing_in_flight(start: Start, open_to: Open) -> None:
    """Only callers' calls count as load."""
    channel = open_to(await start("a", health=SERVING))
    await channel.channel_ready()

    (subchannel,) = subchannels(channel)
    assert subchannel.load.in_flight == 0


def instance_at(channel: discovery.Channel, address: str) -> Instance:
    """The channel's instance at an address."""
    return next(one.instance for one in subchannels(channel) if one.instance.endpoint == address)
