"""Any number of tasks may await one call: the first drives it, the others wait."""

import asyncio
from collections.abc import Generator
from typing import Any

import grpc

from discovery.aio.unary_call import UnaryCall
from discovery.call.call_state import CallState
from tests.support.discovery.probe_service import Open, Refusal, Start, path


async def test_many_tasks_await_one_call(start: Start, open_to: Open) -> None:
    """The first awaiter drives the call, and all awaiters get its response."""
    server = await start("a")
    call = open_to(server).unary_unary(path("Get"))(b"x")

    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(answer_of(call)) for _ in range(5)]

    assert {task.result() for task in waiting} == {b"a:x"}
    assert len(server.seen) == 1


async def test_calls_can_be_gathered(start: Start, open_to: Open) -> None:
    """A call may be awaited in another task than it was made in."""
    server = await start("a")
    get = open_to(server).unary_unary(path("Get"))

    answers = await asyncio.gather(*(get(b"%d" % number) for number in range(20)))

    assert answers == [b"a:%d" % number for number in range(20)]


async def test_a_retried_call_serves_all_awaiters(start: Start, open_to: Open) -> None:
    """A call that is retried serves all of its awaiters."""
    server = await start("a")
    server.script.extend([Refusal(grpc.StatusCode.UNAVAILABLE)] * 2)
    call = open_to(server).unary_unary(path("Get"))(b"x")

    assert await asyncio.gather(*(answer_of(call) for _ in range(3))) == [b"a:x"] * 3
    assert len(server.seen) == 3


async def test_the_call_continues_when_its_driver_is_closed(start: Start, open_to: Open) -> None:
    """If the driving coroutine is closed while it waits, the other awaiters
    still get the outcome.
    """
    server = await start("a")
    channel = open_to(server)
    await channel.channel_ready()
    server.gate.clear()
    call = channel.unary_unary(path("Get"))(b"x")
    driving = call.__await__()
    next(driving)
    waiting = asyncio.ensure_future(call)
    await server.wait_for_calls(1)

    driving.close()
    server.gate.set()

    assert await waiting == b"a:x"


async def test_only_the_driver_steps_the_call() -> None:
    """Waiting awaiters don't step the call, which would wake the stack too early."""
    loop = asyncio.get_running_loop()
    first, second = loop.create_future(), loop.create_future()
    woken = []

    class Second:
        """An awaitable that is resumed by any task that steps it, as a pure-Python future is."""

        def __await__(self) -> Generator[Any, None, None]:
            yield second
            woken.append(second.done())

    async def send(call_state: CallState) -> bytes:
        call_state.attempt = first
        await first
        await Second()
        return b"answer"

    state = CallState(b"", None, None, None, None, None)
    call: UnaryCall[bytes, bytes] = UnaryCall(send, state, bytes, loop, loop.time)
    waiting = [asyncio.ensure_future(answer_of(call)) for _ in range(3)]
    await asyncio.sleep(0)
    first.set_result(None)
    await asyncio.sleep(0)
    second.set_result(None)

    assert await asyncio.gather(*waiting) == [b"answer"] * 3
    assert woken == [True]


async def answer_of(call: Any) -> bytes:
    """Await a call. `gather` would take one call that is given twice for one awaitable."""
    answer: bytes = await call
    return answer
