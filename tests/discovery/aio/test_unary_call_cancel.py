"""A unary call can end before its response: cancelled, timed out or collected."""

import asyncio
import gc
import random

import grpc
import pytest

import discovery
from discovery.aio.unary_call import UnaryCall
from discovery.call.call_state import CallState
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import Open, Refusal, Start, in_flight, path, ready


async def test_cancelling_the_awaiter_cancels_the_rpc(start: Start, open_to: Open) -> None:
    """Cancelling the awaiter cancels the RPC on the server and leaves nothing in flight."""
    server = await start("a")
    channel = open_to(server)
    server.gate.clear()
    call = channel.unary_unary(path("Get"))(b"x")
    waiting = asyncio.ensure_future(call)
    await server.wait_for_calls(1)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    await server.was_cancelled()
    assert (call.done(), call.cancelled()) == (True, True)
    assert await call.code() is grpc.StatusCode.CANCELLED
    assert in_flight(channel) == 0


async def test_cancelling_the_awaiter_ends_the_layers_at_once() -> None:
    """Slots and counts held by the layers are released at once, not when the call is collected."""
    loop = asyncio.get_running_loop()
    first: asyncio.Future[bytes] = loop.create_future()
    left = []

    async def send(call_state: CallState) -> bytes:
        call_state.attempt = first
        try:
            return await first
        finally:
            left.append("place")

    state = CallState(b"", None, None, None, None, None)
    call: UnaryCall[bytes, bytes] = UnaryCall(send, state, bytes, loop, loop.time)
    waiting = asyncio.ensure_future(call)
    await asyncio.sleep(0)

    waiting.cancel()
    await asyncio.wait([waiting])

    assert left == ["place"]
    assert call.cancelled()


async def test_cancelling_any_awaiter_cancels_the_rpc(start: Start, open_to: Open) -> None:
    """Cancelling one of several awaiters cancels the RPC for all, as in grpc.aio."""
    server = await start("a")
    server.gate.clear()
    call = open_to(server).unary_unary(path("Get"))(b"x")
    driving = asyncio.ensure_future(call)
    await server.wait_for_calls(1)
    joining = asyncio.ensure_future(call)
    await asyncio.sleep(0)

    joining.cancel()

    assert isinstance((await asyncio.gather(driving, return_exceptions=True))[0], BaseException)
    assert driving.cancelled()
    await server.was_cancelled()


async def test_cancel_wakes_every_awaiter(start: Start, open_to: Open) -> None:
    """`cancel()` ends the call at once for all awaiters; a second one does nothing."""
    server = await start("a")
    server.gate.clear()
    call = open_to(server).unary_unary(path("Get"))(b"x")
    waiting = [asyncio.ensure_future(call) for _ in range(3)]
    await server.wait_for_calls(1)

    assert call.cancel()
    assert (call.done(), call.cancelled(), call.cancel()) == (True, True, False)

    await asyncio.wait(waiting)
    assert [task.cancelled() for task in waiting] == [True, True, True]
    assert await call.details() == "Locally cancelled by application!"


async def test_a_call_that_waits_for_an_instance_can_be_cancelled() -> None:
    """`cancel()` also ends a call that waits for an instance."""
    async with discovery.open_channel("static:///127.0.0.1:1", rng=random.Random(7)) as channel:
        call = channel.unary_unary(path("Get"))(b"x", wait_for_ready=True)
        waiting = asyncio.ensure_future(call)
        await asyncio.sleep(0)

        assert call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_a_call_between_two_attempts_can_be_cancelled(start: Start, open_to: Open) -> None:
    """`cancel()` also ends a call that waits for its next attempt."""
    server = await start("a")
    pushback = (("grpc-retry-pushback-ms", "60000"),)
    server.script.append(Refusal(grpc.StatusCode.UNAVAILABLE, pushback))
    clock = ManualClock()
    channel = open_to(server, clock=clock)
    await ready(channel, 1)
    call = channel.unary_unary(path("Get"))(b"x", timeout=90.0)
    driving = asyncio.ensure_future(call)
    await clock.wait_for_sleepers()

    assert call.cancel()

    await asyncio.wait([driving])
    assert driving.cancelled()
    assert len(server.seen) == 1


async def test_wait_for_gives_up_on_a_call(start: Start, open_to: Open) -> None:
    """The timeout of asyncio.wait_for cancels the RPC."""
    server = await start("a")
    server.gate.clear()
    call = open_to(server).unary_unary(path("Get"))(b"x")
    await server.wait_for_calls(1)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call, 0.05)
    await server.was_cancelled()


async def test_a_dropped_call_is_cancelled(start: Start, open_to: Open) -> None:
    """A call that is collected unfinished is cancelled, and no longer counts as in flight."""
    server = await start("a")
    channel = open_to(server)
    await channel.channel_ready()
    server.gate.clear()
    call = channel.unary_unary(path("Get"))(b"x")
    await server.wait_for_calls(1)
    assert in_flight(channel) == 1

    del call
    gc.collect()

    assert in_flight(channel) == 0
    await server.was_cancelled()
