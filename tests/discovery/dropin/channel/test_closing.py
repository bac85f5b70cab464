"""Closing a channel ends its calls as in grpc.aio."""

import asyncio
from typing import Any

import grpc
import pytest

from tests.support.discovery.dropin.awaitable_channel import AwaitableChannel
from tests.support.discovery.dropin.comparison import Both, all_of, attempted, ending, outcome
from tests.support.discovery.dropin.scripted_server import NO_LISTENER, path

KINDS = pytest.mark.parametrize(
    ("kind", "method", "waits"),
    [
        ("unary_unary", "Unary", b"g."),
        ("unary_stream", "Responses", b"g."),
        ("stream_unary", "Requests", [b"g", b"."]),
        ("stream_stream", "Both", [b"g", b"."]),
    ],
)


@KINDS
@pytest.mark.parametrize("grace_s", [None, 0, 0.1])
async def test_calls_under_way_are_cancelled(
    both: Both, kind: str, method: str, waits: Any, grace_s: float | None
) -> None:
    """Calls in flight are cancelled at once, or after the grace period."""

    async def program(channel: Any, server: Any) -> Any:
        call = getattr(channel, kind)(path(method))(waits)
        await server.entered.wait()
        await channel.close(grace_s)
        await server.over.wait()
        return await outcome(all_of(call)), await ending(call)

    await both(program)


@KINDS
async def test_calls_under_way_may_end_within_the_grace(
    aio: Both, kind: str, method: str, waits: Any
) -> None:
    """Closing returns when the calls in flight have ended, before the grace period is over."""

    async def program(channel: Any, server: Any) -> Any:
        call = getattr(channel, kind)(path(method))(waits)
        awaiting = asyncio.ensure_future(outcome(all_of(call)))
        await server.entered.wait()
        closing = asyncio.ensure_future(channel.close(600))
        await asyncio.sleep(0)
        server.gate.set()
        await closing
        return await awaiting, await ending(call)

    await aio(program)


@KINDS
async def test_no_call_after_closing(both: Both, kind: str, method: str, waits: Any) -> None:
    """A call on a closed channel raises where it is made."""

    async def program(channel: Any, _: Any) -> Any:
        multicallable = getattr(channel, kind)(path(method))
        await multicallable_once(channel)
        await channel.close()
        refused = attempted(lambda: multicallable(waits))
        # grpc has two texts for this error.
        return refused[0] if isinstance(channel, AwaitableChannel) else refused

    async def multicallable_once(channel: Any) -> None:
        await channel.unary_unary(path("Unary"))(b".")

    await both(program)


@KINDS
@pytest.mark.parametrize("grace_s", [None, 0.05])
async def test_calls_that_were_never_sent_are_over(
    aio: Both, kind: str, method: str, waits: Any, grace_s: float | None
) -> None:
    """A call that waits for a connection is cancelled and done when `close` returns."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))(waits, wait_for_ready=True)
        await channel.close(grace_s)
        return call.done(), call.cancelled(), await outcome(all_of(call))

    await aio(program, address=NO_LISTENER)


@KINDS
async def test_calls_in_flight_that_nobody_awaits_are_over(
    both: Both, kind: str, method: str, waits: Any
) -> None:
    """A call that was sent is cancelled and done when `close` returns."""

    async def program(channel: Any, server: Any) -> Any:
        call = getattr(channel, kind)(path(method))(waits)
        await server.entered.wait()
        await channel.close()
        return call.done(), call.cancelled(), await ending(call)

    await both(program)


@KINDS
async def test_a_first_call_may_end_within_the_grace(
    aio: Both, kind: str, method: str, waits: Any
) -> None:
    """A call that still waits for its connection when `close` begins ends within the grace."""

    async def program(channel: Any, server: Any) -> Any:
        server.gate.set()
        call = getattr(channel, kind)(path(method))(waits)
        awaiting = asyncio.ensure_future(outcome(all_of(call)))
        await channel.close(600)
        return await awaiting, await ending(call)

    await aio(program)


async def test_an_intercepted_call_is_over(aio: Both) -> None:
    """A call that passes an interceptor and was never sent is done when `close` returns."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b".", wait_for_ready=True)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await channel.close()
        return call.done(), call.cancelled(), await outcome(call)

    await aio(program, address=NO_LISTENER, interceptors=[_PassesOn()])


class _PassesOn(grpc.aio.UnaryUnaryClientInterceptor):
    """An interceptor that changes nothing."""

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(details, request)


async def test_no_call_while_it_closes(aio: Both) -> None:
    """During the grace period new calls are refused."""

    async def program(channel: Any, server: Any) -> Any:
        unary = channel.unary_unary(path("Unary"))
        call = unary(b"g.")
        awaiting = asyncio.ensure_future(outcome(call))
        await server.entered.wait()
        closing = asyncio.ensure_future(channel.close(600))
        await asyncio.sleep(0)
        refused = attempted(lambda: unary(b"."))
        server.gate.set()
        await closing
        return refused, await awaiting

    await aio(program)


async def test_closing_twice(both: Both) -> None:
    """Closing twice does nothing."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.unary_unary(path("Unary"))(b".")
        return await channel.close(), await channel.close(), await channel.close(1)

    await both(program)


async def test_closing_without_a_call(aio: Both) -> None:
    """A channel can be closed before its first call."""

    async def program(channel: Any, _: Any) -> Any:
        await channel.close()
        return channel.get_state(), attempted(lambda: channel.unary_unary(path("Unary"))(b"."))

    await aio(program)


@pytest.mark.parametrize("grace_s", [-1, -0.1])
async def test_a_negative_grace(aio: Both, grace_s: float) -> None:
    """A negative grace period raises, and the channel stays open."""

    async def program(channel: Any, _: Any) -> Any:
        refused = await outcome(channel.close(grace_s))
        return refused, await channel.unary_unary(path("Unary"))(b".")

    await aio(program)


async def test_leaving_the_block_closes(aio: Both) -> None:
    """`async with` returns the channel itself, and closes it without a grace period."""

    async def program(channel: Any, server: Any) -> Any:
        async with channel as entered:
            call = entered.unary_unary(path("Unary"))(b"?")
            await server.entered.wait()
        await server.over.wait()
        return entered is channel, await outcome(call), channel.get_state()

    await aio(program)


async def test_an_exception_leaves_the_block(aio: Both) -> None:
    """`async with` doesn't swallow an exception."""

    async def program(channel: Any, _: Any) -> Any:
        async def use() -> None:
            async with channel:
                raise ValueError("the program's own")

        return await outcome(use()), channel.get_state()

    await aio(program)


async def test_closing_ends_a_bidirectional_stream(both: Both) -> None:
    """Closing ends a stream for its reader and its writer."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.stream_stream(path("Both"))()
        await call.write(b".1")
        first = await call.read()
        reading = asyncio.ensure_future(outcome(call.read()))
        await asyncio.sleep(0)
        await channel.close()
        return first, await reading, await outcome(call.write(b".2")), call.cancelled()

    await both(program)


async def test_ended_calls_outlive_the_channel(both: Both) -> None:
    """The outcome of an ended call can be read after the channel is closed."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b".")
        await call
        await channel.close()
        return await call, await ending(call)

    await both(program)
