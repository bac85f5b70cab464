"""The intended differences from grpc.aio in what interceptors see."""

from typing import Any

import grpc

from tests.support.discovery.dropin.comparison import (
    Both,
    all_of,
    attempted,
    ending,
    outcome,
    pairs,
)
from tests.support.discovery.dropin.differences import Difference
from tests.support.discovery.dropin.scripted_server import path


class Counts(grpc.aio.UnaryUnaryClientInterceptor, grpc.aio.UnaryStreamClientInterceptor):
    """An interceptor of two kinds of call."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        self.seen.append("unary")
        return await continuation(details, request)

    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        self.seen.append("stream")
        return await continuation(details, request)


async def test_an_interceptor_of_two_kinds(aio: Both) -> None:
    """An interceptor of two kinds intercepts both."""
    counts = Counts()

    async def program(channel: Any, _: Any) -> Any:
        counts.seen.clear()
        await channel.unary_unary(path("Unary"))(b".")
        await all_of(channel.unary_stream(path("Responses"))(b"."))
        return list(counts.seen)

    seen = await aio.differ(Difference.INTERCEPTORS, program, interceptors=[counts])
    assert seen == (["unary"], ["unary", "stream"])


class Answers(grpc.aio.UnaryUnaryClientInterceptor):
    """An interceptor that answers without a call."""

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return b"cached"


async def test_a_plain_response(aio: Both) -> None:
    """A plain response comes with a status and metadata."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b".")
        return await call, pairs(await call.trailing_metadata()), call.time_remaining is not None

    native, ours = await aio.differ(Difference.PLAIN_RESPONSES, program, interceptors=[Answers()])
    assert (native[1], ours[:2]) == (None, (b"cached", []))


async def test_an_intercepted_call_that_was_never_sent(aio: Both) -> None:
    """Its metadata is empty, and it knows its time remaining."""

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b"?", timeout=500)
        remaining = attempted(lambda: call.time_remaining() > 400)
        call.cancel()
        return (
            pairs(await call.initial_metadata()),
            pairs(await call.trailing_metadata()),
            (remaining),
        )

    seen = await aio.differ(Difference.INTERCEPTED, program, interceptors=[Counts()])
    assert seen == ((None, None, ("NotImplementedError", "")), ([], [], True))


async def test_nothing_else_differs_below_an_interceptor(aio: Both) -> None:
    """A call that an interceptor passes on keeps its whole status."""
    counts = Counts()

    async def program(channel: Any, _: Any) -> Any:
        call = channel.unary_unary(path("Unary"))(b"!")
        return await outcome(call), await ending(call)

    await aio(program, interceptors=[counts])
