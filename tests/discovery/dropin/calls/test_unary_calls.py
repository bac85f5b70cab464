"""Unary calls behave as in grpc.aio."""

import asyncio
from typing import Any

from tests.support.discovery.dropin.comparison import Both, ending, outcome, pairs
from tests.support.discovery.dropin.scripted_server import path


async def test_an_answered_call(both: Both) -> None:
    """A successful call has its response and status, and is done."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b".")
        return await call, await ending(call)

    await both(program)


async def test_a_refused_call(both: Both) -> None:
    """The exception and the call have the whole status of the error."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b"!")
        return await outcome(call), await ending(call), await outcome(call)

    await both(program)


async def test_a_call_whose_handler_raises(both: Both) -> None:
    """A handler that raises gives UNKNOWN with the server's details."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b"x")
        return await outcome(call), await ending(call)

    await both(program)


async def test_a_method_that_is_not_served(both: Both) -> None:
    """A method that the server doesn't have gives UNIMPLEMENTED."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary("/discovery.testing.Absent/Unary")(b".")
        return await outcome(call), await ending(call)

    await both(program)


async def test_reading_the_status_before_awaiting(both: Both) -> None:
    """The status can be read before the response."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b".")
        return await call.code(), await call.details(), await call, call.done()

    await both(program)


async def test_a_call_that_is_under_way(both: Both) -> None:
    """A call in flight is neither done nor cancelled, and has no deadline unless one was given."""

    async def program(channel: Any, server: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b"g", timeout=None)
        before = call.done(), call.cancelled()
        await server.entered.wait()
        under_way = call.done(), call.cancelled()
        server.gate.set()
        return before, under_way, await call, call.done()

    await both(program)


async def test_many_calls_at_once(both: Both) -> None:
    """Each of many calls gets its own response."""

    async def program(channel: Any, _: Any) -> Any:
        unary = channel.unary_unary(path("Unary"))
        return await asyncio.gather(*(unary(b"." + b"%d" % number) for number in range(50)))

    await both(program)


async def test_serializers_and_deserializers(both: Both) -> None:
    """Messages have the program's own types."""

    async def program(channel: Any, _: Any) -> Any:
        unary = channel.unary_unary(path("Unary"), str.encode, bytes.decode)
        return await unary("...."), await unary("")

    await both(program)


async def test_a_positional_request_and_keywords(both: Both) -> None:
    """The request is positional and everything else a keyword, as in grpc.aio."""

    async def program(channel: Any, _: Any) -> Any:
        unary = channel.unary_unary(path("Unary"))
        call = unary(b".", timeout=30, metadata=None, credentials=None, compression=None)
        return await call, pairs(await call.trailing_metadata())

    await both(program)


async def test_waiting_for_the_connection(aio: Both) -> None:
    """`wait_for_connection` of a unary call waits for its end and raises its error."""

    async def program(channel: Any, _: Any) -> Any:
        answered = channel.unary_unary(path("Unary"))(b".")
        refused = channel.unary_unary(path("Unary"))(b"!")
        return (
            await outcome(answered.wait_for_connection()),
            answered.done(),
            await outcome(refused.wait_for_connection()),
        )

    await aio(program)


async def test_large_messages(both: Both) -> None:
    """Messages of up to 4 MB arrive; larger ones give RESOURCE_EXHAUSTED."""

    async def program(channel: Any, _: Any) -> Any:
        unary = channel.unary_unary(path("Unary"))
        fits = await unary(b"." * 4_000_000)
        return len(fits), await outcome(unary(b"." * 5_000_000))

    await both(program)


async def test_channel_options(both: Both) -> None:
    """The channel arguments of grpc.aio are accepted."""

    async def program(channel: Any, _: Any) -> Any:
        unary = channel.unary_unary(path("Unary"))
        return await unary(b"."), await outcome(unary(b"." * 100))

    await both(program, options=[("grpc.max_receive_message_length", 50)])


async def test_calls_that_are_not_assigned(both: Both) -> None:
    """A call that is awaited or iterated where it is made is not collected."""

    async def program(channel: Any, _: Any) -> Any:
        unary, responses = (
            channel.unary_unary(path("Unary")),
            channel.unary_stream(path("Responses")),
        )
        return await unary(b"."), [message async for message in responses(b"...")]

    await both(program)
