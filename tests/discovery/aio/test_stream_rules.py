"""What of the rules for calls holds for streams: how they count, and where they go."""

from dataclasses import replace
from typing import Any

import pytest

from discovery.aio.layers import pick
from discovery.call.call_state import CallState
from discovery.rules.method import Kind
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import (
    Open,
    Start,
    ended_unnoticed,
    path,
    ready,
    subchannels,
)


@pytest.mark.parametrize("factory", ["unary_stream", "stream_stream"])
async def test_a_stream_is_measured_once(start: Start, open_to: Open, factory: str) -> None:
    """By its first message: the others say how long it is, not how fast."""
    channel: Any = open_to(await start("a"))
    await ready(channel, 1)
    (subchannel,) = subchannels(channel)

    if factory == "unary_stream":
        call = channel.unary_stream(path("Watch"))(b"x")
    else:
        call = channel.stream_stream(path("Chat"))([b"1", b"2", b"3"])
    assert len([message async for message in call]) == 3

    assert len(subchannel.record.outcomes.calls) == 1


async def test_streams_pay_for_retries(start: Start, open_to: Open) -> None:
    """A fifth of a retry each, beside the reserve of 10 a second over 10 s."""
    channel = open_to(await start("a"))
    watch = channel.unary_stream(path("Watch"))

    for _ in range(10):
        await watch(b"x").read()

    assert channel.explain().retries_allowed == pytest.approx(102)


async def test_streams_of_requests_avoid_a_connection_that_just_ended(
    start: Start, open_to: Open
) -> None:
    """Their requests are gone once they were sent, so the connection itself is asked before."""
    dead, alive = await start("dead"), await start("alive")
    channel = open_to(dead, alive)
    await ready(channel, 2)
    await ended_unnoticed(channel, dead)

    # Made in one go, so that the watch of the dead connection doesn't come between.
    calls = [channel.stream_unary(path("Upload"))([b"x"]) for _ in range(10)]
    assert {await call for call in calls} == {b"alive:x"}


async def test_so_do_streams_of_requests_that_are_safe(start: Start, open_to: Open) -> None:
    """To send them twice would be harmless, but there is nothing left to send."""
    dead, alive = await start("dead"), await start("alive")
    channel = open_to(dead, alive, clock=ManualClock())
    await ready(channel, 2)
    channel.stream_unary(path("Upload"))
    upload = replace(channel._methods[path("Upload"), Kind.STREAM_UNARY], safe=True)
    send = pick.layer(channel._balancer, clock=channel.clock)(upload, picked)
    await ended_unnoticed(channel, dead)

    assert {send(CallState(None, None, None, None, None, None)) for _ in range(10)} == {
        alive.address
    }


def picked(call: CallState) -> str:
    """Where an attempt would be sent."""
    assert call.subchannel is not None
    return call.subchannel.instance.endpoint
