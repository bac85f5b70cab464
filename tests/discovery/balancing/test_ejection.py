"""Ejection and panic with real servers that fail."""

import asyncio
import logging

import grpc
import pytest
from grpc import StatusCode

import discovery
from discovery.aio.subchannel import Subchannel
from discovery.registry.instance import Resolution
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import (
    NOT_SERVING,
    SERVING,
    Open,
    Probe,
    Refusal,
    Start,
    ended_unnoticed,
    path,
    ready,
    subchannels,
)

ROUND_ROBIN = {"loadBalancingConfig": [{"round_robin": {}}]}
BROKEN = Refusal(StatusCode.UNAVAILABLE)
FAULT = Refusal(StatusCode.INTERNAL)


async def post(channel: discovery.Channel, times: int) -> list[str]:
    """Which server answered each of some calls that aren't retried; "-" for an error."""
    answers = []
    for _ in range(times):
        try:
            answer = await channel.unary_unary(path("Post"))(b"x")
            answers.append(answer.decode().removesuffix(":x"))
        except grpc.aio.AioRpcError:
            answers.append("-")
    return answers


async def broken_until_ejected(channel: discovery.Channel, probe: Probe) -> None:
    """Fail until the instance is ejected, however the picks fall while connections change."""
    probe.script.extend([BROKEN] * 5)
    while probe.script:
        await post(channel, 1)
    assert of(channel, probe).record.ejection is not None


def of(channel: discovery.Channel, probe: Probe) -> Subchannel:
    """The connection to a server."""
    (found,) = (one for one in subchannels(channel) if one.instance.endpoint == probe.address)
    return found


async def test_an_instance_that_fails_is_left_out_until_a_probe_succeeds(
    start: Start, open_to: Open
) -> None:
    """An instance is ejected after its fifth failure and returns after one successful call."""
    broken, good = await start("broken"), await start("good")
    clock = ManualClock()
    channel = open_to(broken, good, service_config=ROUND_ROBIN, clock=clock)
    await ready(channel, 2)
    broken.script.extend([BROKEN] * 6)

    assert (await post(channel, 10)).count("-") == 5
    assert await post(channel, 10) == ["good"] * 10

    await clock.advance(5.0)
    assert await post(channel, 5) == ["-", *["good"] * 4]

    await clock.advance(10.0)
    assert set(await post(channel, 4)) == {"broken", "good"}
    assert of(channel, broken).record.ejection is None


async def test_with_one_of_two_down_the_other_is_used_though_ejected(
    start: Start, open_to: Open
) -> None:
    """In panic (fewer than 50 % usable) an ejected instance gets calls if it is READY."""
    broken, other = await start("broken"), await start("other")
    channel = open_to(broken, other, service_config=ROUND_ROBIN, clock=ManualClock())
    await ready(channel, 2)
    broken.script.extend([BROKEN] * 5)
    await post(channel, 10)
    assert of(channel, broken).record.ejection is not None

    await other.stop()
    while of(channel, other).state is grpc.ChannelConnectivity.READY:
        await channel._balancer.change()

    picker = channel._balancer.pick
    assert {picker(0.0, ()) for _ in range(4)} == {of(channel, broken)}
    assert await post(channel, 3) == ["broken"] * 3
    assert of(channel, broken).record.ejection is not None


async def test_panic_leaves_out_what_says_not_serving(start: Start, open_to: Open) -> None:
    """An instance that says NOT_SERVING gets no calls even in panic."""
    servers = [await start(name, health=1) for name in "abc"]
    channel = open_to(*servers, service_config=ROUND_ROBIN, clock=ManualClock())
    await ready(channel, 3)
    for server in servers[1:]:
        await server.set_health(NOT_SERVING)
        while of(channel, server).state is grpc.ChannelConnectivity.READY:
            await channel._balancer.change()
    servers[0].script.extend([BROKEN] * 5)
    await post(channel, 5)
    assert of(channel, servers[0]).record.ejection is not None

    assert await post(channel, 5) == ["a"] * 5
    assert of(channel, servers[0]).record.ejection is not None


async def test_panic_counts_all_that_are_listed(start: Start, open_to: Open) -> None:
    """One usable of four listed is panic, though two are connected."""
    servers = [await start(name) for name in "abcd"]
    channel = open_to(*servers, service_config=ROUND_ROBIN, clock=ManualClock())
    await ready(channel, 4)
    for server in servers[2:]:
        await server.stop()
        while of(channel, server).state is grpc.ChannelConnectivity.READY:
            await channel._balancer.change()
    await broken_until_ejected(channel, servers[0])

    assert set(await post(channel, 4)) == {"a", "b"}


async def test_the_start_and_the_end_of_panic_are_logged(
    start: Start, open_to: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """One line each; without an ejected instance there is no panic."""
    broken, other, third = [await start(name) for name in ("broken", "other", "third")]
    channel = open_to(broken, other, third, service_config=ROUND_ROBIN, clock=ManualClock())
    await ready(channel, 3)
    broken.script.extend([BROKEN] * 5)
    await post(channel, 15)

    with caplog.at_level(logging.WARNING, logger="discovery.balancing.picker_factory"):
        for server in (third, other):
            await server.stop()
            while of(channel, server).state is grpc.ChannelConnectivity.READY:
                await channel._balancer.change()
        assert channel._balancer.panics
        of(channel, broken).record.ejection = None
        channel._balancer._changed()
        assert not channel._balancer.panics

    logged = [each for each in caplog.records if each.name == "discovery.balancing.picker_factory"]
    assert [each.getMessage().partition(": ")[2] for each in logged] == [
        "1 of 3 instances usable, ejections are lifted",
        "1 of 3 instances usable, ejections are in force again",
    ]


async def test_ejections_outlast_updates(start: Start, open_to: Open) -> None:
    """An ejection is kept by instance and incarnation, so registering again doesn't end it."""
    broken, good = await start("broken"), await start("good")
    channel = open_to(broken, good, service_config=ROUND_ROBIN)
    await ready(channel, 2)
    listed = channel._balancer._resolution
    assert listed is not None
    broken.script.extend([BROKEN] * 5)
    await post(channel, 10)

    channel._balancer.update(
        Resolution(7, tuple(one for one in listed.instances if one.endpoint == good.address))
    )
    channel._balancer.update(listed)
    await ready(channel, 2)

    assert await post(channel, 6) == ["good"] * 6


async def test_streams_that_break_eject_too(start: Start, open_to: Open) -> None:
    """Five broken streams in a row eject an instance."""
    broken, good = await start("broken"), await start("good")
    channel = open_to(broken, good, service_config=ROUND_ROBIN)
    await ready(channel, 2)
    broken.script.extend([BROKEN] * 5)

    async def chat() -> StatusCode:
        call = channel.stream_stream(path("Chat"))()
        await call.done_writing()
        return await call.code()

    codes = [await chat() for _ in range(10)]

    assert codes.count(StatusCode.UNAVAILABLE) == 5
    assert of(channel, broken).record.ejection is not None
    assert await asyncio.gather(*(chat() for _ in range(3))) == [StatusCode.OK] * 3


async def test_a_probe_that_finds_no_connection_is_still_due(start: Start, open_to: Open) -> None:
    """A probe isn't used up by a call that finds the connection ended and goes elsewhere."""
    broken, good = await start("broken", health=SERVING), await start("good", health=SERVING)
    clock = ManualClock()
    channel = open_to(broken, good, service_config=ROUND_ROBIN, clock=clock)
    await ready(channel, 2)
    await broken_until_ejected(channel, broken)
    await clock.advance(5.0)
    await ended_unnoticed(channel, broken)

    assert await post(channel, 1) == ["good"]

    ejection = of(channel, broken).record.ejection
    assert ejection is not None
    assert (ejection.probed_s, ejection.due_s) == (None, clock.monotonic())


@pytest.mark.parametrize("mixed", [False, True])
async def test_a_method_that_fails_everywhere_ejects_nobody(
    start: Start, open_to: Open, *, mixed: bool
) -> None:
    """An application that answers INTERNAL to one method keeps both of its instances."""
    servers = [await start("a"), await start("b")]
    channel = open_to(*servers, service_config=ROUND_ROBIN, clock=ManualClock())
    await ready(channel, 2)

    for _ in range(60):
        for server in servers:
            server.script.append(FAULT)
        assert await post(channel, 1) == ["-"]
        for server in servers:
            server.script.clear()
        if mixed:
            assert await channel.unary_unary(path("Get"))(b"x") in {b"a:x", b"b:x"}

    assert [of(channel, server).record.ejection for server in servers] == [None, None]


async def test_one_of_three_that_answers_internal_alone_is_ejected(
    start: Start, open_to: Open
) -> None:
    """An instance whose methods all fail, while the others answer them, gets no calls."""
    broken, *others = [await start(name) for name in ("broken", "b", "c")]
    channel = open_to(broken, *others, service_config=ROUND_ROBIN, clock=ManualClock())
    await ready(channel, 3)
    broken.script.extend([FAULT] * 1000)

    # Two methods for three instances in turn: each instance is asked for both.
    for _ in range(30):
        for method in ("Put", "Post"):
            await channel.unary_unary(path(method))(b"x").code()

    assert of(channel, broken).record.ejection is not None
    assert "-" not in await post(channel, 10)
