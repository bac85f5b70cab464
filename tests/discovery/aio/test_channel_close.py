"""How a channel ends."""

import asyncio
import random
from typing import Any

import grpc
import pytest

import discovery
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import Open, Refusal, Start, path, ready

FACTORIES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


@pytest.mark.parametrize("factory", FACTORIES)
async def test_a_closed_channel_takes_no_calls(start: Start, open_to: Open, factory: str) -> None:
    """UsageError at once, in grpc.aio's words."""
    channel: Any = open_to(await start("a"))
    method = getattr(channel, factory)(path("Get"))
    await channel.channel_ready()
    await channel.close()

    with pytest.raises(grpc.aio.UsageError, match="Channel is closed"):
        method(b"x")


async def test_closing_cancels_what_is_in_flight(start: Start, open_to: Open) -> None:
    """Without a grace, at once; the server is told."""
    server = await start("a")
    channel = open_to(server)
    server.gate.clear()
    waiting = asyncio.ensure_future(channel.unary_unary(path("Get"))(b"x"))
    watching = asyncio.ensure_future(channel.unary_stream(path("Watch"))(b"x").read())
    await server.wait_for_calls(2)

    await channel.close()

    await asyncio.wait([waiting, watching])
    assert (waiting.cancelled(), watching.cancelled()) == (True, True)
    await server.was_cancelled()


async def test_closing_with_a_grace_waits_for_what_is_in_flight(
    start: Start, open_to: Open
) -> None:
    """New calls are refused meanwhile."""
    server = await start("a")
    channel = open_to(server)
    get = channel.unary_unary(path("Get"))
    server.gate.clear()
    waiting = asyncio.ensure_future(get(b"x"))
    await server.wait_for_calls(1)

    closing = asyncio.create_task(channel.close(30.0))
    await asyncio.sleep(0)
    with pytest.raises(grpc.aio.UsageError):
        get(b"y")
    server.gate.set()

    await closing
    assert await waiting == b"a:x"


async def test_a_grace_ends(start: Start, open_to: Open) -> None:
    """Then what is left is cancelled."""
    server = await start("a")
    channel = open_to(server)
    server.gate.clear()
    waiting = asyncio.ensure_future(channel.unary_unary(path("Get"))(b"x"))
    await server.wait_for_calls(1)

    await channel.close(0.05)

    await asyncio.wait([waiting])
    assert waiting.cancelled()


async def test_closing_cancels_what_waits_for_an_instance() -> None:
    """Nothing will come any more."""
    channel = discovery.open_channel("static:///127.0.0.1:1", rng=random.Random(7))
    get = channel.unary_unary(path("Get"))
    waiting = asyncio.ensure_future(get(b"x", wait_for_ready=True))
    await asyncio.sleep(0)

    await channel.close()

    await asyncio.wait([waiting])
    assert waiting.cancelled()


async def test_closing_between_two_attempts_raises_what_went_wrong(
    start: Start, open_to: Open
) -> None:
    """The next attempt finds the channel closed; the last error says more."""
    server = await start("a")
    pushback = (("grpc-retry-pushback-ms", "5000"),)
    server.script.extend([Refusal(grpc.StatusCode.UNAVAILABLE, pushback)] * 2)
    clock = ManualClock()
    channel = open_to(server, clock=clock)
    await ready(channel, 1)
    waiting = asyncio.ensure_future(channel.unary_unary(path("Get"))(b"x"))
    watching = asyncio.ensure_future(channel.unary_stream(path("Watch"))(b"x").read())
    await clock.wait_for_sleepers(2)

    await channel.close()
    await clock.advance(5.0)

    for call in (waiting, watching):
        with pytest.raises(grpc.aio.AioRpcError, match="scripted"):
            await call


async def test_closing_twice_or_unopened_does_nothing(start: Start, open_to: Open) -> None:
    """Idempotent, as in grpc.aio."""
    channel = open_to(await start("a"))
    await channel.close()
    await channel.close()

    async with open_to(await start("b")) as opened:
        await opened.close()


async def test_a_negative_grace_is_refused(start: Start, open_to: Open) -> None:
    """As in grpc.aio."""
    with pytest.raises(ValueError, match="non-negative"):
        await open_to(await start("a")).close(-1.0)


async def test_a_closed_channel_leaves_no_task(start: Start) -> None:
    """Resolver, watches and health streams have an owner that ends them."""
    server = await start("a", health=1)
    before = asyncio.all_tasks()

    async with discovery.open_channel(
        f"static:///{server.address}", rng=random.Random(7)
    ) as channel:
        await channel.unary_unary(path("Get"))(b"x")
        [message async for message in channel.unary_stream(path("Watch"))(b"x")]
    for _ in range(10):
        await asyncio.sleep(0)

    left = {task for task in asyncio.all_tasks() - before if "discovery" in repr(task)}
    assert left == set()


async def test_those_who_wait_for_a_state_are_told_of_the_end(start: Start, open_to: Open) -> None:
    """SHUTDOWN is a change, and never READY."""
    channel = open_to(await start("a"))
    await channel.channel_ready()
    changing = asyncio.create_task(channel.wait_for_state_change(grpc.ChannelConnectivity.READY))
    await asyncio.sleep(0)

    await channel.close()

    await changing
    with pytest.raises(grpc.aio.UsageError):
        await channel.channel_ready()
