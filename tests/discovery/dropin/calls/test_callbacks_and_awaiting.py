"""Callbacks, several awaiters and other tasks get the outcome of a call as in grpc.aio."""

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest

from tests.support.discovery.dropin.comparison import Both, all_of, outcome
from tests.support.discovery.dropin.scripted_server import path

KINDS = pytest.mark.parametrize(
    ("kind", "method", "requests"),
    [
        ("unary_unary", "Unary", (b"g.", b"g!", b"?")),
        ("unary_stream", "Responses", (b"g.", b"g!", b"?")),
        ("stream_unary", "Requests", ([b"g", b"."], [b"g", b"!"], [b"?"])),
        ("stream_stream", "Both", ([b"g", b"."], [b"g", b"!"], [b"?"])),
    ],
)
_variable: ContextVar[str] = ContextVar("_variable", default="unset")


@KINDS
@pytest.mark.parametrize("which", [0, 1])
async def test_callbacks_are_called_once_with_the_call(
    both: Both, kind: str, method: str, requests: Any, which: int
) -> None:
    """Callbacks are called once, however the call ends, and also if added after its end."""

    async def program(channel: Any, server: Any) -> Any:
        call = getattr(channel, kind)(path(method))(requests[which])
        called: list[Any] = []
        ended = asyncio.Event()
        call.add_done_callback(lambda given: called.append(("first", given is call, given.done())))
        call.add_done_callback(lambda given: called.append(("second", given is call)))
        call.add_done_callback(lambda _: ended.set())
        await server.entered.wait()
        early = list(called)
        server.gate.set()
        result = await outcome(all_of(call))
        await ended.wait()
        call.add_done_callback(lambda given: called.append(("late", given is call)))
        await asyncio.sleep(0)
        return early, result, called

    await both(program)


@KINDS
async def test_callbacks_of_a_cancelled_call(
    both: Both, kind: str, method: str, requests: Any
) -> None:
    """Callbacks of a cancelled call are called."""

    async def program(channel: Any, server: Any) -> Any:
        call = getattr(channel, kind)(path(method))(requests[2])
        ended = asyncio.Event()
        called: list[bool] = []
        call.add_done_callback(lambda given: called.append(given.cancelled()))
        call.add_done_callback(lambda _: ended.set())
        await server.entered.wait()
        call.cancel()
        await ended.wait()
        return called

    await both(program)


async def test_callbacks_of_a_call_without_awaiters(both: Both) -> None:
    """Callbacks are called even if the call isn't awaited."""

    async def program(channel: Any, _: Any) -> Any:
        ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        call = channel.unary_unary(path("Unary"))(b".")
        call.add_done_callback(lambda given: ended.set_result(given.done()))
        return await ended, await call

    await both(program)


@pytest.mark.parametrize("orders", ["..", "..!"])
async def test_awaiting_twice(both: Both, orders: str) -> None:
    """A call can be awaited twice."""

    async def program(channel: Any, _: Any) -> Any:
        unary = channel.unary_unary(path("Unary"))(orders.encode())
        uploading = channel.stream_unary(path("Requests"))(
            [bytes([one]) for one in orders.encode()]
        )
        return [await outcome(call) for call in (unary, unary, unary, uploading, uploading)]

    await both(program)


@pytest.mark.parametrize("orders", [b"g.", b"g!"])
async def test_awaiting_from_several_tasks(both: Both, orders: bytes) -> None:
    """All awaiting tasks get the same outcome."""

    async def program(channel: Any, server: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(orders)
        awaiting = [asyncio.ensure_future(outcome(call)) for _ in range(5)]
        await server.entered.wait()
        server.gate.set()
        return await asyncio.gather(*awaiting), await outcome(call)

    await both(program)


async def test_one_of_several_awaiters_is_cancelled(aio: Both) -> None:
    """Cancelling one awaiter cancels the call for the others."""

    async def program(channel: Any, server: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b"?")
        first, second, third = (asyncio.ensure_future(outcome(call)) for _ in range(3))
        await server.entered.wait()
        second.cancel()
        await asyncio.wait([first, second, third])
        await server.over.wait()
        return first.result(), third.result(), call.cancelled(), await call.code()

    await aio(program)


async def test_gathered_and_shielded(both: Both) -> None:
    """A call works with asyncio's gather and shield."""

    async def program(channel: Any, _: Any) -> Any:
        unary = channel.unary_unary(path("Unary"))

        async def one() -> Any:
            return await unary(b"1")

        return (
            await asyncio.gather(unary(b"."), unary(b".."), return_exceptions=True),
            await asyncio.shield(one()),
            await asyncio.wait_for(unary(b"..."), 30),
        )

    await both(program)


async def test_awaited_in_another_task_than_it_was_made_in(aio: Both) -> None:
    """A call can be awaited in another task than it was made in."""

    async def program(channel: Any, server: Any) -> Any:
        async def make() -> Any:
            return channel.unary_unary(path("Unary"))(b"g.")

        call = await asyncio.create_task(make())
        server.gate.set()
        return await asyncio.create_task(all_of(call))

    await aio(program)


async def test_context_variables(aio: Both) -> None:
    """The caller's context is unchanged, and a serializer sees it."""

    async def program(channel: Any, _: Any) -> Any:
        seen: list[str] = []

        def deserialize(message: bytes) -> bytes:
            seen.append(_variable.get())
            return message

        unary = channel.unary_unary(path("Unary"), None, deserialize)
        _variable.set("caller")
        call = unary(b".")
        call.add_done_callback(lambda _: seen.append(_variable.get()))
        answer = await call
        await asyncio.sleep(0)
        return answer, seen, _variable.get()

    await aio(program)


async def test_context_variables_of_a_request_iterator(aio: Both) -> None:
    """A request iterator runs in the context in which the call was made."""

    async def program(channel: Any, _: Any) -> Any:
        def requests() -> Any:
            yield _variable.get().encode()

        _variable.set("caller")
        call = channel.stream_unary(path("Requests"))(requests())
        return await call

    await aio(program)


async def test_a_callback_that_reads_the_call(both: Both) -> None:
    """A callback can read everything of its call that doesn't wait."""

    async def program(channel: Any, _: Any) -> Any:
        seen: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        call = channel.unary_unary(path("Unary"))(b"!")
        call.add_done_callback(
            lambda given: seen.set_result((given.done(), given.cancelled(), given.cancel()))
        )
        return await outcome(call), await seen

    await both(program)
