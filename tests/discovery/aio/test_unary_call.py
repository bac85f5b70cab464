"""A unary call is driven by the tasks that await it, and behaves as in grpc.aio otherwise."""

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

import grpc
import pytest

import discovery
from discovery.aio.unary_call import UnaryCall
from discovery.call.call_state import CallState
from tests.support.discovery.probe_service import Open, Refusal, Start, in_flight, path


def method(channel: discovery.Channel, name: str = "Get") -> Callable[..., Any]:
    """A unary method in raw bytes."""
    return channel.unary_unary(path(name))


async def test_awaiting_twice_gives_the_response_twice(start: Start, open_to: Open) -> None:
    """A call can be awaited repeatedly: its outcome is stored."""
    server = await start("a")
    call = method(open_to(server))(b"x")

    assert [await call, await call] == [b"a:x", b"a:x"]
    assert len(server.seen) == 1


async def test_an_error_is_raised_at_every_await(start: Start, open_to: Open) -> None:
    """Every await of a failed call raises the same error."""
    server = await start("a")
    server.script.append(Refusal(grpc.StatusCode.NOT_FOUND))
    call = method(open_to(server))(b"x")

    with pytest.raises(grpc.aio.AioRpcError) as first:
        await call
    with pytest.raises(grpc.aio.AioRpcError) as second:
        await call
    assert first.value is second.value
    assert await call.code() is grpc.StatusCode.NOT_FOUND
    assert await call.details() == "scripted"


async def test_the_first_attempt_is_sent_at_once(start: Start, open_to: Open) -> None:
    """The RPC has begun when the stub returns, before the call is awaited."""
    server = await start("a")
    channel = open_to(server)
    await channel.channel_ready()

    call = method(channel)(b"x")
    await server.wait_for_calls(1)

    assert await call == b"a:x"


async def test_an_ordinary_call_makes_no_task(start: Start, open_to: Open) -> None:
    """The stack runs inside the awaiting task; grpc.aio's own task is the only other one."""
    server = await start("a")
    channel = open_to(server)
    await channel.channel_ready()
    server.gate.clear()
    before = asyncio.all_tasks()

    call = method(channel)(b"x")
    created = [task for task in asyncio.all_tasks() - before if "_invoke" not in repr(task)]

    assert created == []
    server.gate.set()
    assert await call == b"a:x"


async def test_a_driver_is_started_where_nothing_can_be_picked(start: Start, open_to: Open) -> None:
    """A call made before the channel is connected continues in a task."""
    server = await start("a")
    call = method(open_to(server))(b"x")

    await server.wait_for_calls(1)

    assert await call == b"a:x"


async def test_a_step_of_the_stack_may_cancel_its_call() -> None:
    """A step of the stack, for example an interceptor, may cancel the call it belongs to."""
    loop = asyncio.get_running_loop()
    first: asyncio.Future[None] = loop.create_future()
    calls: list[UnaryCall[bytes, bytes]] = []

    async def send(call_state: CallState) -> bytes:
        call_state.attempt = first
        await first
        assert calls[0].cancel()
        await asyncio.Event().wait()
        return b"never"

    calls.append(UnaryCall(send, call_state(), bytes, loop, loop.time))
    first.set_result(None)

    with pytest.raises(asyncio.CancelledError):
        await calls[0]
    assert calls[0].cancelled()


async def test_context_variables_do_not_leak() -> None:
    """The stack runs in the call's own copy of the caller's context."""
    variable = contextvars.ContextVar("variable", default="unset")
    loop = asyncio.get_running_loop()
    first = loop.create_future()
    seen = []

    async def send(call_state: CallState) -> bytes:
        seen.append(variable.get())
        variable.set("changed by the stack")
        call_state.attempt = first
        await first
        seen.append(variable.get())
        return b"answer"

    variable.set("caller's")
    call: UnaryCall[bytes, bytes] = UnaryCall(send, call_state(), bytes, loop, loop.time)
    assert variable.get() == "caller's"
    variable.set("caller's later")
    first.set_result(None)

    assert await call == b"answer"
    assert seen == ["caller's", "changed by the stack"]
    assert variable.get() == "caller's later"


async def test_a_base_exception_goes_to_the_driver_alone() -> None:
    """A KeyboardInterrupt is raised in the driving task; later awaiters find the call cancelled."""
    loop = asyncio.get_running_loop()
    first = loop.create_future()

    class Stopped(BaseException):
        """An exception like KeyboardInterrupt that asyncio doesn't handle itself."""

    async def send(call_state: CallState) -> bytes:
        call_state.attempt = first
        await first
        raise Stopped

    call: UnaryCall[bytes, bytes] = UnaryCall(send, call_state(), bytes, loop, loop.time)
    first.set_result(None)

    with pytest.raises(Stopped):
        await call
    with pytest.raises(asyncio.CancelledError):
        await call
    assert call.cancelled()


async def test_callbacks_drive_the_call(start: Start, open_to: Open) -> None:
    """A done callback is called even if nothing awaits the call, and at once after its end."""
    server = await start("a")
    call = method(open_to(server))(b"x")
    ended: asyncio.Queue[Any] = asyncio.Queue()

    call.add_done_callback(ended.put_nowait)
    assert await ended.get() is call
    assert call.done()

    call.add_done_callback(ended.put_nowait)
    assert ended.get_nowait() is call


async def test_a_callback_that_raises_affects_nothing_else(start: Start, open_to: Open) -> None:
    """The event loop reports a callback's error; the call and the other
    callbacks are unaffected.
    """
    server = await start("a")
    call = method(open_to(server))(b"x")
    ended: asyncio.Queue[Any] = asyncio.Queue()
    raised: list[BaseException] = []
    loop, failure = asyncio.get_running_loop(), ValueError("the callback's own")
    loop.set_exception_handler(lambda _, context: raised.append(context["exception"]))

    def fail(_call: Any) -> None:
        raise failure

    call.add_done_callback(fail)
    call.add_done_callback(ended.put_nowait)

    assert await call == b"a:x"
    await asyncio.sleep(0)
    assert raised == [failure]
    assert ended.get_nowait() is call


async def test_code_details_and_metadata_drive_the_call(start: Start, open_to: Open) -> None:
    """Reading the code, details or metadata drives the call to its end."""
    server = await start("a")
    get = method(open_to(server))

    assert await get(b"x").code() is grpc.StatusCode.OK
    assert await get(b"x").details() == ""
    assert await get(b"x").debug_error_string() == ""
    assert dict(await get(b"x").initial_metadata()) == {}
    assert ("served-by", "a") in tuple(await get(b"x").trailing_metadata())
    assert await get(b"x").wait_for_connection() is None


async def test_done_becomes_true_without_an_await(start: Start, open_to: Open) -> None:
    """Polling `done()` is enough to drive the call to its end."""
    server = await start("a")
    call = method(open_to(server))(b"x")

    while not call.done():  # noqa: ASYNC110 (polling is the point)
        await asyncio.sleep(0)

    assert await call == b"a:x"


async def test_time_remaining_counts_down_from_the_deadline(start: Start, open_to: Open) -> None:
    """The time remaining counts down from the timeout or from the default of 10 s."""
    server = await start("a")
    get = method(open_to(server))

    assert 9.0 < get(b"x").time_remaining() <= 10.0
    assert 1.0 < get(b"x", timeout=2.0).time_remaining() <= 2.0


async def test_a_finished_call_leaves_nothing_in_flight(start: Start, open_to: Open) -> None:
    """No attempt is in flight after a call, whatever its outcome."""
    server = await start("a")
    channel = open_to(server)
    server.script.append(Refusal(grpc.StatusCode.INTERNAL))

    await asyncio.gather(*(method(channel)(b"x") for _ in range(3)), return_exceptions=True)

    assert in_flight(channel) == 0


async def test_a_call_is_a_grpc_call(start: Start, open_to: Open) -> None:
    """The call has grpc.aio's type, which interceptors and instrumentation check."""
    call = method(open_to(await start("a")))(b"x")

    assert isinstance(call, grpc.aio.UnaryUnaryCall)
    await call


def call_state() -> CallState:
    """The state of a call that is never sent."""
    return CallState(b"", None, None, None, None, None)
