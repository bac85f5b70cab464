"""Closing a channel ends its calls, its waits and its tasks."""

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
    """A call on a closed channel raises grpc.aio's UsageError at once."""
    channel: Any = open_to(await start("a"))
    method = getattr(channel, factory)(path("Get"))
    await channel.channel_ready()
    await channel.close()

    with pytest.raises(grpc.aio.UsageError, match="Channel is closed"):
        method(b"x")


async def test_closing_cancels_calls_in_flight(start: Start, open_to: Open) -> None:
    """Without a grace period, calls in flight are cancelled at once, also on the server."""
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


async def test_closing_with_a_grace_waits_for_calls_in_flight(start: Start, open_to: Open) -> None:
    """During the grace period calls in flight may end, and new calls are refused."""
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
    """Calls that are still in flight after the grace period are cancelled."""
    server = await start("a")
    channel = open_to(server)
    server.gate.clear()
    waiting = asyncio.ensure_future(channel.unary_unary(path("Get"))(b"x"))
    await server.wait_for_calls(1)

    await channel.close(0.05)

    await asyncio.wait([waiting])
    assert waiting.cancelled()


async def test_closing_cancels_calls_that_wait_for_an_instance() -> None:
    """A call that waits for an instance is cancelled when the channel is closed."""
    channel = discovery.open_channel("static:///127.0.0.1:1", rng=random.Random(7))
    get = channel.unary_unary(path("Get"))
    waiting = asyncio.ensure_future(get(b"x", wait_for_ready=True))
    await asyncio.sleep(0)

    await channel.close()

    await asyncio.wait([waiting])
    assert waiting.cancelled()


async def test_closing_between_two_attempts_raises_the_last_error(
    start: Start, open_to: Open
) -> None:
    """A call between two attempts ends with its last error, which says more than "closed"."""
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
    """Closing twice, or before the first call, does nothing, as in grpc.aio."""
    channel = open_to(await start("a"))
    await channel.close()
    await channel.close()

    async with open_to(await start("b")) as opened:
        await opened.close()


async def test_a_negative_grace_is_refused(start: Start, open_to: Open) -> None:
    """A negative grace period raises ValueError, as in grpc.aio."""
    with pytest.raises(ValueError, match="non-negative"):
        await open_to(await start("a")).close(-1.0)


async def test_a_closed_channel_leaves_no_task(start: Start) -> None:
    """Closing ends the tasks of the resolver, the watches and the health streams."""
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


async def test_closing_wakes_tasks_that_wait_for_a_state(start: Start, open_to: Open) -> None:
    """A wait for another state returns at SHUTDOWN; a wait for READY raises."""
    channel = open_to(await start("a"))
    await channel.channel_ready()
    changing = asyncio.create_task(channel.wait_for_state_change(grpc.ChannelConnectivity.READY))
    await asyncio.sleep(0)

    await channel.close()

    await changing
    with pytest.raises(grpc.aio.UsageError):
        await channel.channel_ready()


async def test_a_call_between_two_attempts_ends_with_the_channel(
    start: Start, open_to: Open
) -> None:
    """A call that waits for its next attempt is done when `close` returns."""
    server = await start("a")
    pushback = (("grpc-retry-pushback-ms", "5000"),)
    server.script.append(Refusal(grpc.StatusCode.UNAVAILABLE, pushback))
    clock = ManualClock()
    channel = open_to(server, clock=clock)
    await ready(channel, 1)
    waiting = asyncio.ensure_future(channel.unary_unary(path("Get"))(b"x"))
    await clock.wait_for_sleepers(1)

    await channel.close()

    assert waiting.done()
    assert isinstance(waiting.exception(), grpc.aio.AioRpcError)


async def test_a_call_may_be_attempted_again_within_the_grace(start: Start, open_to: Open) -> None:
    """A call that fails once after `close(grace)` began is attempted again."""
    server = await start("a")
    channel = open_to(server)
    await ready(channel, 1)
    server.gate.clear()
    server.script.append(Refusal(grpc.StatusCode.UNAVAILABLE))
    waiting = asyncio.ensure_future(channel.unary_unary(path("Get"))(b"x"))
    await server.wait_for_calls(1)

    closing = asyncio.create_task(channel.close(30.0))
    await asyncio.sleep(0)
    server.gate.set()

    await closing
    assert await waiting == b"a:x"


@pytest.mark.parametrize("kind", ["unary", "stream"])
async def test_a_call_that_has_its_turn_as_the_channel_closes_is_cancelled(
    start: Start, open_to: Open, kind: str
) -> None:
    """The stream that held the only place ends in the same moment, and leaves it to the queue."""
    server = await start("a")
    channel = open_to(server, service_config={"bulkhead": {"maxCalls": 1, "maxQueued": 5}})
    await ready(channel, 1)
    chat = channel.stream_stream(path("Chat"))()
    await chat.write(b"x")
    await chat.read()
    queued: Any = (
        channel.unary_unary(path("Get"))(b"x")
        if kind == "unary"
        else channel.unary_stream(path("Watch"))(b"x")
    )
    waiting = asyncio.ensure_future(queued.read() if kind == "stream" else awaited(queued))
    await asyncio.sleep(0)

    await channel.close()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def awaited(call: Any) -> Any:
    """Await a call, so that it begins."""
    return await call


@pytest.mark.parametrize(("grace_s", "cancelled"), [(None, True), (30.0, False)])
async def test_a_call_that_waits_for_its_turn_ends_with_the_channel(
    start: Start, open_to: Open, grace_s: float | None, *, cancelled: bool
) -> None:
    """A call in the queue of the bulkhead is cancelled, or has its turn within the grace."""
    server = await start("a")
    channel = open_to(server, service_config={"bulkhead": {"maxCalls": 1, "maxQueued": 5}})
    await ready(channel, 1)
    server.gate.clear()
    get = channel.unary_unary(path("Get"))
    calls = [get(b"1"), get(b"2")]
    awaiting = asyncio.gather(*calls, return_exceptions=True)
    await server.wait_for_calls(1)

    closing = asyncio.create_task(channel.close(grace_s))
    await asyncio.sleep(0)
    if grace_s is not None:
        server.gate.set()
    await closing
    await awaiting

    assert [(call.done(), call.cancelled()) for call in calls] == [(True, cancelled)] * 2
