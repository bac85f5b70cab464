"""A call can be cancelled at each stage and from each side, as in grpc.aio."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.support.discovery.dropin.comparison import Both, all_of, ending, outcome
from tests.support.discovery.dropin.scripted_server import NO_LISTENER, path

KINDS = pytest.mark.parametrize(
    ("kind", "method", "hangs", "answers"),
    [
        ("unary_unary", "Unary", b"?", b"."),
        ("unary_stream", "Responses", b"?", b"."),
        ("stream_unary", "Requests", [b"?"], [b"."]),
        ("stream_stream", "Both", [b"?"], [b"."]),
    ],
)


@KINDS
async def test_cancelled_at_once(
    both: Both, kind: str, method: str, hangs: Any, answers: Any
) -> None:
    """A call can be cancelled before anything was sent."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))(hangs)
        said = call.cancel(), call.cancel(), call.cancelled(), call.done()
        return said, await outcome(all_of(call)), await ending(call)

    await both(program)


@KINDS
async def test_cancelled_under_way(
    both: Both, kind: str, method: str, hangs: Any, answers: Any
) -> None:
    """The server sees the cancellation, and the call's status is CANCELLED."""

    async def program(channel: Any, server: Any) -> Any:
        call = getattr(channel, kind)(path(method))(hangs)
        await server.entered.wait()
        said = call.cancel(), call.cancel(), call.cancelled(), call.done()
        await server.over.wait()
        return said, await outcome(all_of(call)), await ending(call)

    await both(program)


@KINDS
async def test_cancelled_after_its_end(
    both: Both, kind: str, method: str, hangs: Any, answers: Any
) -> None:
    """Cancelling a call after its end changes nothing."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path(method))(answers)
        answered = await all_of(call)
        return answered, call.cancel(), call.cancelled(), await ending(call)

    await both(program)


@KINDS
async def test_the_awaiting_task_is_cancelled(
    aio: Both, kind: str, method: str, hangs: Any, answers: Any
) -> None:
    """Cancelling the awaiting task cancels the call."""

    async def program(channel: Any, server: Any) -> Any:
        call = getattr(channel, kind)(path(method))(hangs)
        task = asyncio.ensure_future(all_of(call))
        await server.entered.wait()
        task.cancel()
        await asyncio.wait([task])
        await server.over.wait()
        return task.cancelled(), call.cancelled(), await ending(call)

    await aio(program)


@KINDS
async def test_a_wait_for_that_times_out(
    aio: Both, kind: str, method: str, hangs: Any, answers: Any
) -> None:
    """A timeout of asyncio.wait_for cancels the call."""

    async def program(channel: Any, server: Any) -> Any:
        call = getattr(channel, kind)(path(method))(hangs)
        await server.entered.wait()
        gave_up = await outcome(asyncio.wait_for(all_of(call), 0.01))
        await server.over.wait()
        return gave_up[0], call.cancelled(), call.done(), await call.code()

    await aio(program)


@KINDS
async def test_cancelling_a_reader_of_the_status(
    aio: Both, kind: str, method: str, hangs: Any, answers: Any
) -> None:
    """Cancelling a task that waits for the status, not the response, leaves the call running."""

    async def program(channel: Any, server: Any) -> Any:
        call = getattr(channel, kind)(path(method))(hangs)
        asking = asyncio.ensure_future(call.code())
        await server.entered.wait()
        asking.cancel()
        await asyncio.wait([asking])
        seen = asking.cancelled(), call.done(), call.cancelled()
        call.cancel()
        return seen

    await aio(program)


async def test_cancelled_between_messages(both: Both) -> None:
    """Messages that were read stay read; the next read raises."""

    async def program(channel: Any, server: Any) -> Any:
        call = channel.unary_stream(path("Responses"))(b"..?..")
        first = await call.read(), await call.read()
        said = call.cancel()
        await server.over.wait()
        return first, said, [await outcome(call.read()) for _ in range(2)], await ending(call)

    await both(program)


async def test_cancelled_while_it_is_iterated(both: Both) -> None:
    """The iteration ends with CancelledError."""

    async def program(channel: Any, server: Any) -> Any:
        call = channel.unary_stream(path("Responses"))(b"..?..")
        seen = []

        async def iterate() -> None:
            async for message in call:
                seen.append(message)
                if len(seen) == 2:
                    call.cancel()

        ended = await outcome(iterate())
        await server.over.wait()
        return seen, ended, await ending(call)

    await both(program)


async def test_a_bidirectional_stream_cancelled_in_the_middle(both: Both) -> None:
    """After the cancellation neither reading nor writing works."""

    async def program(channel: Any, server: Any) -> Any:
        call = channel.stream_stream(path("Both"))()
        await call.write(b".1")
        first = await call.read()
        call.cancel()
        return (
            first,
            await outcome(call.write(b".2")),
            await outcome(call.read()),
            await outcome(call.done_writing()),
            await ending(call),
        )

    await both(program)


async def test_a_reader_is_cancelled_while_another_writes(aio: Both) -> None:
    """Cancelling the reader ends the stream for the writer too."""

    async def program(channel: Any, server: Any) -> Any:
        call = channel.stream_stream(path("Both"))()
        reading = asyncio.ensure_future(call.read())
        await call.write(b"?")
        await server.entered.wait()
        reading.cancel()
        await asyncio.wait([reading])
        return reading.cancelled(), call.cancelled(), await outcome(call.write(b"."))

    await aio(program)


async def test_a_request_iterator_that_raises(aio: Both) -> None:
    """An error of the request iterator cancels the call."""

    async def program(channel: Any, _: Any) -> Any:
        async def broken() -> AsyncIterator[bytes]:
            yield b"."
            raise ValueError("the program's own")

        uploading = channel.stream_unary(path("Requests"))(broken())
        chatting = channel.stream_stream(path("Both"))(broken())
        return (
            await outcome(uploading),
            await uploading.code(),
            (await outcome(all_of(chatting))),
            await chatting.code(),
        )

    await aio(program)


async def test_a_synchronous_request_iterator_that_raises(both: Both) -> None:
    """It ends the call as well, also one that has been answered in part."""

    async def program(channel: Any, _: Any) -> Any:
        def broken() -> Iterator[bytes]:
            yield b"."
            raise ValueError("the program's own")

        uploading = channel.stream_unary(path("Requests"))(broken())
        chatting = channel.stream_stream(path("Both"))(broken())
        return await uploading.code(), await chatting.code()

    await both(program)


async def test_the_writer_is_cancelled(aio: Both) -> None:
    """Cancelling a writer cancels the call."""

    async def program(channel: Any, server: Any) -> Any:
        call = channel.stream_unary(path("Requests"))()
        await call.write(b"?")
        await server.entered.wait()

        async def flood() -> None:
            while True:
                await call.write(b"." * 100_000)

        writing = asyncio.ensure_future(flood())
        done, _ = await asyncio.wait([writing], timeout=0.3)
        writing.cancel()
        await asyncio.wait([writing])
        return done, writing.cancelled(), call.cancelled(), await call.code()

    await aio(program)


@pytest.mark.parametrize("kind", ["stream_unary", "stream_stream"])
async def test_writing_after_a_cancel_before_the_connection(aio: Both, kind: str) -> None:
    """`write` raises and `done_writing` does nothing, as after any other end."""

    async def program(channel: Any, _: Any) -> Any:
        call = getattr(channel, kind)(path("Both"))(wait_for_ready=True)
        cancelled = call.cancel()
        return cancelled, await outcome(call.write(b".")), await outcome(call.done_writing())

    await aio(program, address=NO_LISTENER)
