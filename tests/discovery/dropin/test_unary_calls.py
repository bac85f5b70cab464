"""Calls with one request and one response."""

import asyncio
from typing import Any

from tests.support.discovery.dropin.comparison import Both, ending, outcome, pairs
from tests.support.discovery.dropin.scripted_server import path


async def test_an_answered_call(both: Both) -> None:
    """Its response, its status, and that it is over."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b".")
        return await call, await ending(call)

    await both(program)


async def test_a_refused_call(both: Both) -> None:
    """The exception tells the whole status, and so does the call."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b"!")
        return await outcome(call), await ending(call), await outcome(call)

    await both(program)


async def test_a_call_whose_handler_breaks(both: Both) -> None:
    """UNKNOWN, in the words of the server."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b"x")
        return await outcome(call), await ending(call)

    await both(program)


async def test_a_method_nobody_serves(both: Both) -> None:
    """UNIMPLEMENTED."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary("/discovery.testing.Nobody/Unary")(b".")
        return await outcome(call), await ending(call)

    await both(program)


async def test_a_call_that_is_asked_and_not_awaited(both: Both) -> None:
    """The status can be had without the response; the response after it."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b".")
        return await call.code(), await call.details(), await call, call.done()

    await both(program)


async def test_a_call_that_is_under_way(both: Both) -> None:
    """Neither done nor cancelled, and without a deadline unless it was given one."""

    async def program(channel: Any, server: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b"g", timeout=None)
        before = call.done(), call.cancelled()
        await server.entered.wait()
        under_way = call.done(), call.cancelled()
        server.gate.set()
        return before, under_way, await call, call.done()

    await both(program)


async def test_many_calls_at_once(both: Both) -> None:
    """Each gets its own answer."""

    async def program(channel: Any, _: Any) -> Any:
        unary = channel.unary_unary(path("Unary"))
        return await asyncio.gather(*(unary(b"." + b"%d" % number) for number in range(50)))

    await both(program)


async def test_serializers_and_deserializers(both: Both) -> None:
    """Messages are the program's own types."""

    async def program(channel: Any, _: Any) -> Any:
        unary = channel.unary_unary(path("Unary"), str.encode, bytes.decode)
        return await unary("...."), await unary("")

    await both(program)


async def test_a_positional_request_and_keywords(both: Both) -> None:
    """The signature is grpc.aio's: whatever else is given stays a keyword."""

    async def program(channel: Any, _: Any) -> Any:
        unary = channel.unary_unary(path("Unary"))
        call = unary(b".", timeout=30, metadata=None, credentials=None, compression=None)
        return await call, pairs(await call.trailing_metadata())

    await both(program)


async def test_waiting_for_the_connection(both: Both) -> None:
    """A unary call waits for its end, and raises the status it ended with."""

    async def program(channel: Any, _: Any) -> Any:
        answered = channel.unary_unary(path("Unary"))(b".")
        refused = channel.unary_unary(path("Unary"))(b"!")
        return (
            await outcome(answered.wait_for_connection()),
            answered.done(),
            await outcome(refused.wait_for_connection()),
        )

    await both(program)


async def test_large_messages(both: Both) -> None:
    """Up to 4 MB a message arrives; above, RESOURCE_EXHAUSTED tells where the limit is."""

    async def program(channel: Any, _: Any) -> Any:
        unary = channel.unary_unary(path("Unary"))
        fits = await unary(b"." * 4_000_000)
        return len(fits), await outcome(unary(b"." * 5_000_000))

    await both(program)


async def test_channel_options(both: Both) -> None:
    """What grpc.aio takes as channel arguments holds here too."""

    async def program(channel: Any, _: Any) -> Any:
        unary = channel.unary_unary(path("Unary"))
        return await unary(b"."), await outcome(unary(b"." * 100))

    await both(program, options=[("grpc.max_receive_message_length", 50)])


async def test_calls_without_a_name(both: Both) -> None:
    """Awaited or iterated where it is made, a call is held by that."""

    async def program(channel: Any, _: Any) -> Any:
        unary, responses = (
            channel.unary_unary(path("Unary")),
            channel.unary_stream(path("Responses")),
        )
        return await unary(b"."), [message async for message in responses(b"...")]

    await both(program)
