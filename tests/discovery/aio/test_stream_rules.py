"""The rules for load, budget and connections apply to streams as well."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

import grpc
import pytest

import discovery
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
    """Only a stream's first message counts as latency: later ones depend on the stream's length."""
    channel: Any = open_to(await start("a"))
    await ready(channel, 1)
    (subchannel,) = subchannels(channel)

    if factory == "unary_stream":
        call = channel.unary_stream(path("Watch"))(b"x")
    else:
        call = channel.stream_stream(path("Chat"))([b"1", b"2", b"3"])
    assert len([message async for message in call]) == 3

    assert subchannel.record.totals(channel.clock.monotonic()) == (1, 0)


async def test_streams_pay_for_retries(start: Start, open_to: Open) -> None:
    """Each stream adds a fifth of a retry to the budget, on top of its reserve."""
    channel = open_to(await start("a"))
    watch = channel.unary_stream(path("Watch"))

    for _ in range(10):
        await watch(b"x").read()

    assert channel.explain().retries_allowed == pytest.approx(102)


async def test_streams_of_requests_avoid_a_connection_that_just_ended(
    start: Start, open_to: Open
) -> None:
    """Requests can't be sent twice, so a stream of requests checks the connection first."""
    dead, alive = await start("dead"), await start("alive")
    channel = open_to(dead, alive)
    await ready(channel, 2)
    await ended_unnoticed(channel, dead)

    # No await between the calls, so that the watch of the dead connection can't run.
    calls = [channel.stream_unary(path("Upload"))([b"x"]) for _ in range(10)]
    assert {await call for call in calls} == {b"alive:x"}


async def test_safe_streams_of_requests_check_the_connection_too(
    start: Start, open_to: Open
) -> None:
    """Safe streams of requests check it too: their requests can't be sent twice either."""
    dead, alive = await start("dead"), await start("alive")
    channel = open_to(dead, alive, clock=ManualClock())
    await ready(channel, 2)
    channel.stream_unary(path("Upload"))
    upload = replace(channel._stacks.methods[path("Upload"), Kind.STREAM_UNARY], safe=True)
    send = pick.layer(channel._balancer, clock=channel.clock)(upload, picked)
    await ended_unnoticed(channel, dead)

    assert {send(CallState(None, None, None, None, None, None)) for _ in range(10)} == {
        alive.address
    }


def picked(call: CallState) -> str:
    """The endpoint to which an attempt would be sent."""
    assert call.subchannel is not None
    return call.subchannel.instance.endpoint


async def test_a_callback_that_raises_does_not_stop_the_others(start: Start, open_to: Open) -> None:
    """The other callbacks of a stream are called; the loop's handler gets the error."""
    loop = asyncio.get_running_loop()
    reported: list[type[BaseException]] = []
    loop.set_exception_handler(lambda _, context: reported.append(type(context["exception"])))
    server = await start("a")
    for channel in (open_to(server), discovery.open_channel("static:///127.0.0.1:1")):
        ended: list[bool] = []
        call = channel.unary_stream(path("Watch"))(b"x")
        call.add_done_callback(lambda _: 1 / 0)
        call.add_done_callback(lambda done, ended=ended: ended.append(done.done()))
        with suppress(grpc.aio.AioRpcError):
            [message async for message in call]
        await asyncio.sleep(0)
        await channel.close()
        assert ended == [True]
    loop.set_exception_handler(None)
    # gRPC itself may report errors of its poller here.
    assert reported.count(ZeroDivisionError) == 2
