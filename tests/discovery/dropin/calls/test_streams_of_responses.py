"""Streams of responses, iterated, read or left early, behave as in grpc.aio."""

import asyncio
from typing import Any

import pytest

from tests.support.discovery.dropin.comparison import Both, all_of, attempted, ending, outcome
from tests.support.discovery.dropin.scripted_server import path

ENDS = pytest.mark.parametrize("orders", [b"", b".", b"...", b"!", b"..!", b"x", b".x"])


@ENDS
async def test_iterated(both: Both, orders: bytes) -> None:
    """`async for` returns the messages, then ends or raises; a second iteration is empty."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_stream(path("Responses"))(orders)
        seen: list[bytes] = []

        async def iterate() -> None:
            async for message in call:
                seen.append(message)  # noqa: PERF401 - what was seen before an error counts

        return await outcome(iterate()), seen, await outcome(all_of(call)), await ending(call)

    await both(program)


@ENDS
async def test_read(both: Both, orders: bytes) -> None:
    """`read()` returns the messages, then EOF or the error every time."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_stream(path("Responses"))(orders)
        read = [await outcome(call.read()) for _ in range(6)]
        return [lasting if isinstance(lasting, tuple) else repr(lasting) for lasting in read], (
            await ending(call)
        )

    await both(program)


async def test_mixing_styles(aio: Both) -> None:
    """Reading and iterating can't be mixed while the call lasts."""

    async def program(channel: Any, _: Any) -> Any:
        responses = channel.unary_stream(path("Responses"))
        read = responses(b"..?")
        await read.read()
        iterated = responses(b"..?")
        await anext(aiter(iterated))
        seen = attempted(lambda: aiter(read)), await outcome(iterated.read())
        read.cancel()
        iterated.cancel()
        return seen

    await aio(program)


@pytest.mark.parametrize("orders", [b"..", b"..!"])
async def test_reading_after_iterating_to_the_end(aio: Both, orders: bytes) -> None:
    """After the end of the call it may also be read."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_stream(path("Responses"))(orders)
        seen = await outcome(all_of(call)), repr(await outcome(call.read()))
        return seen[0], seen[1].split(" details")[0]

    await aio(program)


async def test_iterating_after_reading_to_the_end(aio: Both) -> None:
    """A call that was read to its end can't be iterated."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_stream(path("Responses"))(b".")
        seen = [repr(await call.read()) for _ in range(3)]
        return seen, attempted(lambda: aiter(call))

    await aio(program)


async def test_two_loops_share_one_iterator(aio: Both) -> None:
    """Two loops over one call share its messages."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_stream(path("Responses"))(b"...")
        first, second = aiter(call), aiter(call)
        return first is second, await anext(first), await anext(second), await all_of(call)

    await aio(program)


async def test_left_early(both: Both) -> None:
    """Leaving a loop early leaves the call running until it is cancelled."""

    async def program(channel: Any, server: Any) -> Any:
        call = channel.unary_stream(path("Responses"))(b"..?")
        async for message in call:
            first = message
            break
        seen = first, call.done(), call.cancelled(), call.cancel()
        await server.over.wait()
        return seen, await call.code()

    await both(program)


async def test_waiting_for_the_status_keeps_the_messages(both: Both) -> None:
    """Waiting for the status doesn't lose messages."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_stream(path("Responses"))(b"...")
        asking = asyncio.ensure_future(call.code())
        messages = await all_of(call)
        return messages, await asking

    await both(program)


async def test_waiting_for_the_connection_of_a_stream(aio: Both) -> None:
    """`wait_for_connection` returns when the request has been sent, not at the end."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_stream(path("Responses"))(b".?")
        connected = await outcome(call.wait_for_connection())
        seen = connected, call.done(), await call.read()
        call.cancel()
        return seen

    await aio(program)


async def test_many_messages(both: Both) -> None:
    """Many messages arrive in order, each once."""

    async def program(channel: Any, _: Any) -> Any:
        return await all_of(channel.unary_stream(path("Responses"))(b"." * 500))

    await both(program)


async def test_two_streams_at_once(both: Both) -> None:
    """Two streams don't affect each other."""

    async def program(channel: Any, _: Any) -> Any:
        responses = channel.unary_stream(path("Responses"))
        return await asyncio.gather(*(all_of(responses(b"." * 20)) for _ in range(10)))

    await both(program)


async def test_responses_are_deserialized(both: Both) -> None:
    """Each response has the program's own type."""

    async def program(channel: Any, _: Any) -> Any:
        return await all_of(channel.unary_stream(path("Responses"), str.encode, int)("..."))

    await both(program)
