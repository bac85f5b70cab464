"""Interceptors behave as in grpc.aio."""

from typing import Any

import grpc

from tests.support.discovery.dropin.comparison import Both, all_of, ending, outcome, pairs
from tests.support.discovery.dropin.scripted_server import path


class AddsMetadata(grpc.aio.UnaryUnaryClientInterceptor):
    """Adds metadata."""

    def __init__(self, value: str) -> None:
        self._value = value

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        metadata.add("trailing-a", self._value)
        return await continuation(details._replace(metadata=metadata), request)


class Counts(grpc.aio.UnaryStreamClientInterceptor):
    """Passes a stream on and counts it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        self.seen.append((details.method, request, details.timeout))
        return await continuation(details, request)


class Doubles(grpc.aio.StreamUnaryClientInterceptor):
    """Sends every request twice."""

    async def intercept_stream_unary(self, continuation: Any, details: Any, requests: Any) -> Any:
        async def twice() -> Any:
            async for request in requests:
                yield request
                yield request

        return await continuation(details, twice())


class Raises(grpc.aio.UnaryUnaryClientInterceptor):
    """Raises an error of its own."""

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        raise ValueError("the interceptor's own")


async def test_metadata_that_interceptors_add(aio: Both) -> None:
    """The first interceptor is the outermost."""

    async def program(channel: Any, server: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b".", metadata=(("trailing-a", "0"),))
        return await call, pairs(await call.trailing_metadata()), await ending(call)

    await aio(program, interceptors=[AddsMetadata("1"), AddsMetadata("2")])


async def test_a_refusal_below_an_interceptor(aio: Both) -> None:
    """A server's error reaches the call with its whole status."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b"!")
        return await outcome(call), await ending(call)

    await aio(program, interceptors=[AddsMetadata("1")])


async def test_a_stream_below_an_interceptor(aio: Both) -> None:
    """An interceptor sees a stream's method, request and timeout."""
    counts = Counts()

    async def program(channel: Any, _: Any) -> Any:
        counts.seen.clear()
        call = channel.unary_stream(path("Responses"))(b"..!", timeout=50)
        messages = [await call.read(), await call.read()]
        return messages, await outcome(call.read()), await call.code(), list(counts.seen)

    await aio(program, interceptors=[counts])


async def test_requests_through_an_interceptor(aio: Both) -> None:
    """An interceptor may send other requests than the caller's."""

    async def requests() -> Any:
        yield b".1"
        yield b".2"

    async def program(channel: Any, _: Any) -> Any:
        return await channel.stream_unary(path("Requests"))(requests())

    await aio(program, interceptors=[Doubles()])


async def test_requests_written_through_an_interceptor(aio: Both) -> None:
    """Written requests pass the interceptor too."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.stream_unary(path("Requests"))()
        await call.write(b".1")
        await call.done_writing()
        return await call, await call.code()

    await aio(program, interceptors=[Doubles()])


async def test_an_interceptor_that_raises(aio: Both) -> None:
    """An interceptor's error ends the call."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b".")
        return await outcome(call), call.done()

    await aio(program, interceptors=[Raises()])


async def test_cancelling_through_an_interceptor(aio: Both) -> None:
    """Cancelling an intercepted call reaches the server."""

    async def program(channel: Any, server: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b"?")
        await server.entered.wait()
        said = call.cancel(), call.cancel()
        await server.over.wait()
        return said, await outcome(call), call.cancelled(), call.done()

    await aio(program, interceptors=[AddsMetadata("1")])


async def test_an_interceptor_of_another_kind(aio: Both) -> None:
    """An interceptor of another kind of call isn't asked."""
    counts = Counts()

    async def program(channel: Any, _: Any) -> Any:
        return (
            await channel.unary_unary(path("Unary"))(b"."),
            await all_of(channel.stream_stream(path("Both"))([b"."])),
            list(counts.seen),
        )

    await aio(program, interceptors=[counts])
