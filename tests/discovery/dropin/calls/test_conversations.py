"""Bidirectional streams behave as in grpc.aio."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from tests.support.discovery.dropin.comparison import Both, all_of, ending, outcome
from tests.support.discovery.dropin.scripted_server import path


async def test_in_turns(both: Both) -> None:
    """Requests and responses can alternate, then the stream is closed and ends with EOF."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.stream_stream(path("Both"))()
        seen = []
        for word in (b".1", b".2", b".3"):
            await call.write(word)
            seen.append(await call.read())
        await call.done_writing()
        return seen, repr(await call.read()), repr(await call.read()), await ending(call)

    await both(program)


async def test_writing_ahead_of_reading(both: Both) -> None:
    """Requests may be written before their responses are read."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.stream_stream(path("Both"))()
        for number in range(20):
            await call.write(b".%d" % number)
        await call.done_writing()
        return await all_of(call)

    await both(program)


async def test_writing_and_iterating(both: Both) -> None:
    """Requests may be written while responses are iterated."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.stream_stream(path("Both"))()
        await call.write(b".1")
        seen = []
        async for message in call:
            seen.append(message)
            if len(seen) < 4:
                await call.write(b".%d" % (len(seen) + 1))
            else:
                await call.done_writing()
        return seen, await call.code()

    await both(program)


async def test_reading_with_an_iterator_of_requests(both: Both) -> None:
    """Responses may be read while requests come from an iterator."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.stream_stream(path("Both"))([b".1", b".2"])
        return [repr(await call.read()) for _ in range(4)], await ending(call)

    await both(program)


async def test_requests_that_depend_on_responses(both: Both) -> None:
    """A request iterator may wait for what the program has read."""

    async def program(channel: Any, _: Any) -> Any:
        answered: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)

        async def requests() -> AsyncIterator[bytes]:
            request = b"."
            while len(request) < 4:
                yield request
                request = await answered.get() + b"."

        seen = []
        async for message in channel.stream_stream(path("Both"))(requests()):
            seen.append(message)
            await answered.put(message)
        return seen

    await both(program)


async def test_refused_in_the_middle(both: Both) -> None:
    """Earlier messages are read; then reading and writing report the end."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.stream_stream(path("Both"))()
        await call.write(b".1")
        first = await call.read()
        await call.write(b"!")
        return first, [await outcome(call.read()) for _ in range(2)], await ending(call)

    await both(program)


async def test_large_messages_both_ways(both: Both) -> None:
    """Large messages pass flow control in both directions."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.stream_stream(path("Both"))([b"." * 1_000_000] * 5)
        return [len(message) async for message in call]

    await both(program)


async def test_many_at_once(both: Both) -> None:
    """Streams that run at the same time don't mix."""

    async def program(channel: Any, _: Any) -> Any:
        chat = channel.stream_stream(path("Both"))
        return await asyncio.gather(
            *(all_of(chat([b".%d" % number, b"..%d" % number])) for number in range(20))
        )

    await both(program)
